package junit

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxDeclaration is how far into a file the end of its XML declaration is looked for, in bytes.
const maxDeclaration = 1 << 10

// declaration finds the encoding that an XML declaration names. Blanks before it are an error that some writers make.
var declaration = regexp.MustCompile(`^[ \t\r\n]*<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)

// decode returns what in holds as UTF-8. Where it cannot, because the encoding is unknown, it returns the name of the encoding
// too, and the bytes as they are: most encodings have ASCII in common.
func decode(in *bufio.Reader) (text io.Reader, unknown string) {
	head, _ := in.Peek(maxDeclaration) // an error comes again when this is read
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = in.Discard(3)
		return in, ""
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("<\x00")):
		return transform.NewReader(in, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), ""
	case bytes.HasPrefix(head, []byte("\xfe\xff")), bytes.HasPrefix(head, []byte("\x00<")):
		return transform.NewReader(in, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()), ""
	}
	declared := declaration.FindSubmatch(head)
	if declared == nil {
		return in, ""
	}
	name := string(declared[1])
	found, err := htmlindex.Get(name)
	switch {
	// A declaration that can be read byte by byte is not in UTF-16, whatever it says: programs that write into a string of
	// UTF-16, and then the string into a file of UTF-8, say so.
	case strings.HasPrefix(strings.ToLower(name), "utf-16"), found == unicode.UTF8:
		return in, ""
	case err != nil, found == encoding.Replacement:
		return in, name
	}
	return transform.NewReader(in, found.NewDecoder()), ""
}
