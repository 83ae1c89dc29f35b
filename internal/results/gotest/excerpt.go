package gotest

import (
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// maxHead and maxTail bound what is kept of an output, in bytes.
	maxHead = results.MaxMessage
	maxTail = results.MaxMessage / 2
)

// excerpt is the beginning and the end of an output.
type excerpt struct {
	head []byte
	// tail is what came after the head, and at least the last maxTail bytes of it.
	tail []byte
	// cut means that something between the two is missing.
	cut bool
	// headOnly means that only the beginning matters.
	headOnly bool
}

// restart forgets what was kept. From then on only the beginning matters.
func (x *excerpt) restart() { *x = excerpt{head: x.head[:0], headOnly: true} }

func (x *excerpt) add(text string) {
	n := min(len(text), maxHead-len(x.head))
	x.head = append(x.head, text[:n]...)
	text = text[n:]
	if x.headOnly {
		x.cut = x.cut || text != ""
		return
	}
	if len(x.tail)+len(text) > 2*maxTail {
		x.cut = true
		text = text[max(0, len(text)-maxTail):]
		kept := min(len(x.tail), maxTail-len(text))
		x.tail = append(x.tail[:0], x.tail[len(x.tail)-kept:]...)
	}
	x.tail = append(x.tail, text...)
}

// text returns the output without the common indentation of its lines. If it is too long for a message, the middle is left out, or
// the end if only the beginning matters.
func (x *excerpt) text() string {
	head, tail := string(x.head), string(x.tail)
	switch {
	case x.headOnly && x.cut:
		return unindent(head) + "…"
	case x.cut:
		_, tail, _ = strings.Cut(tail, "\n") // a line whose beginning is missing
	default:
		all := unindent(head + tail)
		if x.headOnly || results.Size(all) <= results.MaxMessage {
			return all
		}
		head, tail = all, all
	}
	first := results.Cut(unindent(head), results.MaxMessage/3)
	return first + "\n" + lastLines(unindent(tail), results.MaxMessage/2)
}

// lastLines returns as many of the last lines as fit into limit. If not even the last line fits, it returns its beginning.
func lastLines(text string, limit int) string {
	text = strings.TrimRight(text, " \t\r\n")
	from, size := len(text), 0
	for from > 0 {
		start := strings.LastIndexByte(text[:max(0, from-1)], '\n') + 1
		size += results.Size(text[start:from])
		if size > limit {
			break
		}
		from = start
	}
	if from == len(text) {
		return results.Cut(text[strings.LastIndexByte(text, '\n')+1:], limit)
	}
	return text[from:]
}

// unindent removes the white space that all lines begin with.
func unindent(text string) string {
	lines := strings.SplitAfter(text, "\n")
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	for _, line := range lines {
		for strings.TrimSpace(line) != "" && !strings.HasPrefix(line, indent) {
			indent = indent[:len(indent)-1]
		}
	}
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], indent)
	}
	return strings.Join(lines, "")
}
