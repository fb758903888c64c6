// SHA-256 of the published text "abc", and of rows of `a` around the lengths where the padding
// takes a block of its own; their digests are sha256sum's.
#include "ir/base/sha256.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/expect.h"

static void expect_digest(const char *text, size_t count, const char *expected) {
    unsigned char digest[SHA256_BYTES];
    sha256(text, count, digest);
    char shown[2 * SHA256_BYTES + 1];
    for (int i = 0; i < SHA256_BYTES; i++)
        snprintf(shown + 2 * i, 3, "%02x", digest[i]);
    EXPECT_TEXT(shown, expected);
}

static const struct {
    size_t count;
    const char *digest;
} rows[] = {
    {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
    {55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
    {56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
    {63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
    {64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
    {65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
    {119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"},
    {120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"},
    {1000, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"},
};

int main(void) {
    char text[1000];
    memset(text, 'a', sizeof text);
    expect_digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_digest(text, rows[i].count, rows[i].digest);
    return expect_result();
}
