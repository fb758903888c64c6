// Numeric tables: what is read, to the bit, and what is refused, to the letter.
#include <locale.h>
#include <math.h>

#include "runtime/tensor_file.h"
#include "tests/unit/expect.h"

static bool read_text(const char *text, TensorFile *file, TensorError *error) {
    return tensor_file_read_memory("t.csv", text, strlen(text), file, error);
}

// `names` is NULL for no header line, else the names joined by '|'.
static void expect_table(const char *text, int64_t rows, int64_t columns, const char *names,
                         const double *values) {
    TensorFile file;
    TensorError error = {0};
    if (!EXPECT(read_text(text, &file, &error))) {
        fprintf(stderr, "  %s\n", error.text);
        return;
    }
    const FileTensor *table = tensor_file_find(&file, "");
    EXPECT(file.count == 1 && table != NULL && table->element == TENSOR_F64 && table->rank == 2);
    EXPECT(table->shape[0] == rows && table->shape[1] == columns);
    EXPECT(memcmp(table->data, values, tensor_byte_count(table)) == 0);
    char joined[200] = "";
    for (int i = 0; i < file.column_count; i++) {
        size_t used = strlen(joined);
        snprintf(joined + used, sizeof joined - used, "%s%s", i > 0 ? "|" : "", file.columns[i]);
    }
    EXPECT((names != NULL) == (file.columns != NULL));
    EXPECT_TEXT(joined, names != NULL ? names : "");
    tensor_file_free(&file);
}

static void expect_refusal(const char *text, const char *message) {
    TensorFile file;
    TensorError error = {0};
    EXPECT(!read_text(text, &file, &error) && error.kind == TENSOR_ERROR_DATA && file.count == 0);
    EXPECT_TEXT(error.text, message);
}

static void test_tables(void) {
    static const double four[] = {1, 2, 3, 4};
    expect_table("1,2\n3,4\n", 2, 2, NULL, four);
    expect_table("1,2\n3,4", 2, 2, NULL, four);
    expect_table("1,2\r\n3,4\r\n\r\n\n", 2, 2, NULL, four);
    expect_table("\xef\xbb\xbf"
                 "a,b\n 1 ,\t2\n3, 4 \n",
                 2, 2, "a|b", four);
    expect_table("\"a, b\",\" c \"\n\"1\",2\n3 , \"4\" \n", 2, 2, "a, b| c ", four);
    expect_table("1,2,3,4", 1, 4, NULL, four);
    expect_table("x\n1\n2\n3\n4\n", 4, 1, "x", four);
    expect_table("a,b,c\n", 0, 3, "a|b|c", four);
    expect_table("w\xc3\xa9,n a\n1,2\n", 1, 2, "w\xc3\xa9|n a", four);
    static const double species[] = {5.1, 3.5, 1.4, 0.2, 0, 4.9, 3.0, 1.4, 0.2, 2};
    expect_table("sepal_length,sepal_width,petal_length,petal_width,species\n5.1,3.5,1.4,0.2,0\n4."
                 "9,3.0,1.4,0.2,2\n",
                 2, 5, "sepal_length|sepal_width|petal_length|petal_width|species", species);
}

static void test_numbers(void) {
    static const double values[] = {
        -0.0, .5, 5., 1e-3, -2.5E+2, 0x1.999999999999ap-4, 1.7976931348623157e308, 4.9e-324};
    expect_table("-0,.5,5.,1e-3,-2.5E+2,0.1,1.7976931348623157e308,5e-324\n", 1, 8, NULL, values);
    TensorFile file;
    EXPECT(read_text("nan,inf,-Infinity,+INF,NaN,1e-999\n", &file, NULL));
    const double *data = file.tensors[0].data;
    EXPECT(isnan(data[0]) && isinf(data[1]) && data[2] < 0 && isinf(data[3]) && isnan(data[4]) &&
           data[5] == 0);
    tensor_file_free(&file);
}

static void test_refusals(void) {
    expect_refusal("", "t.csv: the table is empty");
    expect_refusal("\n\n", "t.csv: the table is empty");
    expect_refusal("1,2\n3\n", "t.csv: line 2 has 1 columns, but the lines before have 2");
    expect_refusal("a,b\n1,2,3\n", "t.csv: line 2 has 3 columns, but the lines before have 2");
    expect_refusal("1,2\n\n3,4\n", "t.csv: line 2 is empty");
    expect_refusal("1,2\n3,\n",
                   "t.csv: line 2, column 2: the value is missing (write nan for none)");
    expect_refusal("1,2\n3,4,\n",
                   "t.csv: line 2, column 3: the value is missing (write nan for none)");
    expect_refusal("a,b\n1,x\n", "t.csv: line 2, column 2: 'x' is not a number");
    expect_refusal("1,b\n1,2\n", "t.csv: line 1, column 2: 'b' is not a number");
    expect_refusal("a,a\n1,2\n", "t.csv: line 1: two columns are named 'a'");
    expect_refusal("a,\n1,2\n", "t.csv: line 1, column 2: the name is empty");
    expect_refusal("a,\xff\n1,2\n", "t.csv: line 1, column 2: the name is not UTF-8 text");
    expect_refusal("1;2\n3;4\n5\n", "t.csv: line 2, column 1: '3;4' is not a number");
    expect_refusal("1\n0x10\n", "t.csv: line 2, column 1: '0x10' is not a number");
    expect_refusal("1\n1e\n", "t.csv: line 2, column 1: '1e' is not a number");
    expect_refusal("1\n.\n", "t.csv: line 2, column 1: '.' is not a number");
    expect_refusal("1\n+-1\n", "t.csv: line 2, column 1: '+-1' is not a number");
    expect_refusal("1\n1 2\n", "t.csv: line 2, column 1: '1 2' is not a number");
    expect_refusal("1\nnan(1)\n", "t.csv: line 2, column 1: 'nan(1)' is not a number");
    expect_refusal("1\n\x1b[31m\n", "t.csv: line 2, column 1: '\\x1b[31m' is not a number");
    expect_refusal("1\n-.1e400\n", "t.csv: line 2, column 1: '-.1e400' is out of the range of f64");
    expect_refusal("1\n\"2\n", "t.csv: line 2, column 1: the quote is not closed");
    expect_refusal("1\n\"2\"3\n", "t.csv: line 2, column 1: text after the closing quote");
    TensorFile file;
    TensorError error = {0};
    EXPECT(!tensor_file_read_memory("t.csv", "1\0\n", 3, &file, &error));
    char digits[700];
    memset(digits, '1', sizeof digits);
    EXPECT(!tensor_file_read_memory("t.csv", digits, sizeof digits, &file, &error));
}

// A locale that writes 0,1 for a tenth must not change what is read. Many machines have no such
// locale installed.
static void test_locale(void) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8",
                                        "nl_NL.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (setlocale(LC_ALL, names[i]) != NULL) {
            test_tables();
            test_numbers();
            char text[8];
            snprintf(text, sizeof text, "%.1f", 0.1);
            EXPECT_TEXT(text, "0,1"); // the program's own locale is still in force
            setlocale(LC_ALL, "C");
            return;
        }
    }
    fprintf(stderr, "no locale with a decimal comma here: not tried\n");
}

int main(void) {
    test_tables();
    test_numbers();
    test_refusals();
    test_locale();
    return expect_result();
}
