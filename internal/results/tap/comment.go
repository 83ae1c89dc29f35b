package tap

import "bytes"

// comment reads a line that begins with a number sign. After a failing point it says why, unless it is a heading of what follows.
// In a document with headings it has to look like an explanation.
func (h *held) comment(line []byte, indent int, headed bool) {
	text := commentText(line)
	switch {
	case h.came == theLast || isNoise(text):
	case isHeading(text) || indent < h.indent:
		h.came = theLast
	case h.came == aComment, h.came == pointItself && !headed, isExplanation(line):
		h.came = aComment
		if h.fails() {
			h.said.add(text)
			h.place.comment(text)
		}
	default:
		h.came = theLast
	}
}

// commentText cuts the number sign away and the spaces that Test::More puts behind it.
func commentText(line []byte) []byte {
	text := line[1:]
	for i := 0; i < 3 && len(text) > 0 && text[0] == ' '; i++ {
		text = text[1:]
	}
	return text
}

// isNoise recognizes the last lines of Test::More, which repeat the counts.
func isNoise(comment []byte) bool {
	return bytes.HasPrefix(comment, []byte("Looks like you")) || bytes.HasPrefix(comment, []byte("Tests were run but no plan"))
}

func isSubtest(comment []byte) bool { return bytes.HasPrefix(comment, []byte("Subtest")) }

// isHeading recognizes comments that are not about the point before them: headings, and counts at the end.
func isHeading(comment []byte) bool {
	if isSubtest(comment) || bytes.HasPrefix(comment, []byte("Start of ")) || bytes.HasPrefix(comment, []byte("End of ")) {
		return true
	}
	word, number, _ := bytes.Cut(comment, []byte(" "))
	switch string(bytes.TrimSuffix(word, []byte(":"))) {
	case "tests", "suites", "pass", "fail", "failed", "skip", "skipped", "todo", "cancelled":
		return digits(trimLeft(number)) > 0
	}
	return false
}

// isExplanation recognizes how Test::More, bats, Python and others begin to say why a point failed.
func isExplanation(line []byte) bool {
	text := line[1:]
	for _, beginning := range []string{"  ", "\t", " Failed test", " (in test ", " (from function ", " Traceback "} {
		if bytes.HasPrefix(text, []byte(beginning)) {
			return true
		}
	}
	word, _, _ := bytes.Cut(trimLeft(text), []byte(":"))
	return bytes.HasSuffix(word, []byte("Error")) || bytes.HasSuffix(word, []byte("Exception"))
}
