package junit

import (
	"bufio"
	"bytes"
	"errors"
	"regexp"
)

// beginning is how XML begins that may be a report.
var beginning = regexp.MustCompile(`^<(?:\?xml\s|(?:[A-Za-z_][\w.-]*:)?(?:testsuites|testsuite|testcase)[\s/>])`)

// markup is how any other XML or HTML begins.
var markup = regexp.MustCompile(`^<[A-Za-z!]`)

const byteOrderMark = "\xef\xbb\xbf"

// maxBeginning is how much of a file is looked at to find out whether XML begins there, in bytes.
const maxBeginning = 300

// skipText skips what stands before the XML, such as a line of a log, and returns how many lines that are. It skips nothing
// where there is only white space, or a byte order mark. found is false if there is text, and no XML behind it.
func skipText(in *bufio.Reader) (lines int, found bool) {
	head, _ := in.Peek(maxDeclaration) // an error comes again when this is read
	start := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	if len(start) == 0 || start[0] == '<' || isUTF16(head) {
		return 0, true
	}
	for lineBegins := true; ; {
		text, err := in.ReadSlice('<')
		lines += bytes.Count(text, []byte("\n"))
		before := bytes.TrimSuffix(text, []byte("<"))
		if end := bytes.LastIndexByte(before, '\n'); end >= 0 {
			before, lineBegins = before[end+1:], true
		}
		lineBegins = lineBegins && len(bytes.TrimLeft(before, " \t\r"+byteOrderMark)) == 0
		switch {
		case err == nil:
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		default:
			return lines, false
		}
		_ = in.UnreadByte() // it has just been read
		next, _ := in.Peek(maxBeginning)
		if beginning.Match(next) || lineBegins && markup.Match(next) {
			return lines, true
		}
		_, _ = in.Discard(1)
		lineBegins = false
	}
}

// isUTF16 tells by a byte order mark, or by the first character of XML.
func isUTF16(head []byte) bool {
	for _, beginning := range []string{"\xff\xfe", "\xfe\xff", "<\x00", "\x00<"} {
		if bytes.HasPrefix(head, []byte(beginning)) {
			return true
		}
	}
	return false
}
