package results

import (
	"regexp"
	"strings"
)

var (
	// atLineStart is how Go, Python, C++ and others begin a line that says where a failure is.
	atLineStart = regexp.MustCompile(`(?m)^[ \t]*([^\s:()'"<>|]+\.[A-Za-z]{1,6}:[0-9]{1,7})(?:: |:?[ \t]*$|:[0-9]+ › )`)
	// scriptFrame is a line of a stack trace of JavaScript, also as vitest prints it.
	scriptFrame = regexp.MustCompile(`(?m)^[ \t]*(?:at|❯) (?:[^\n(]*\()?(?:file://)?([^\s():]+\.[cm]?[jt]sx?:[0-9]{1,7}):[0-9]+`)
	// frame is a line of a stack trace of a Java virtual machine: the class with the method, and the place.
	frame = regexp.MustCompile(`(?m)^[ \t]*at (?:[^\s(/]*/)*([^\s(/]+)\(([^\s():]+:[0-9]{1,7})\)`)
)

// LocationIn finds where a case failed in the text of its failure: the first file:line at the beginning of a line, or else the
// first line of a stack trace that belongs to the test. For Java that is a method of the class, for JavaScript a file that is not
// below node_modules. It returns "" if there is none.
func LocationIn(text, class string) string {
	if found := atLineStart.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	for _, found := range frame.FindAllStringSubmatch(text, -1) {
		if method := found[1]; class != "" && len(method) > len(class) && method[:len(class)] == class && (method[len(class)] == '.' || method[len(class)] == '$') {
			return found[2]
		}
	}
	for _, found := range scriptFrame.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(found[1], "node_modules/") {
			return found[1]
		}
	}
	return ""
}
