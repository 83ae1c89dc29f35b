package gotest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

func TestExcerpt(t *testing.T) {
	var numbered strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&numbered, "    line %d\n", i)
	}
	var last strings.Builder
	for i := 970; i < 1000; i++ {
		fmt.Fprintf(&last, "line %d\n", i)
	}
	for _, test := range []struct {
		name, output string
		headOnly     bool
		begins, ends string
		marked       bool
	}{
		{name: "nothing"},
		{name: "what is short is whole", output: "one\ntwo\n", begins: "one\ntwo", ends: "one\ntwo"},
		{name: "the common indentation goes", output: "\t  one\n\n\t    two\n", begins: "one\n\n  two", ends: "two"},
		{name: "tabs and spaces are not the same", output: "    one\n\ttwo\n", begins: "    one\n\ttwo", ends: "two"},
		{name: "of what is long the middle goes", output: numbered.String(), begins: "line 0\nline 1\n", ends: last.String(), marked: true},
		{name: "of what is a little too long too", output: numbered.String()[:1500], begins: "line 0\nline 1\n", ends: "line 121\nline 122\nline 12", marked: true},
		{name: "of what escapes make long too", output: strings.Repeat("<&>\n", 200) + "end", begins: "<&>\n<&>\n", ends: "<&>\nend", marked: true},
		{name: "of a long last line the end goes", output: strings.Repeat("one\n", 100) + strings.Repeat("x", 1200) + "\n", begins: "one\none", ends: "xxx…", marked: true},
		{name: "of one very long line too", output: "one" + strings.Repeat("x", 100_000), begins: "onexxx", ends: "…\n", marked: true},
		{name: "of a crash the end goes", output: numbered.String(), headOnly: true, begins: "line 0\nline 1\n", ends: "…", marked: true},
		{name: "a crash a little too long is left to the message", output: strings.Repeat("<&>\n", 200) + "end", headOnly: true, begins: "<&>\n<&>\n", ends: "<&>\nend"},
		{name: "a short crash is whole", output: "panic: one\n", headOnly: true, begins: "panic: one", ends: "panic: one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, size := range []int{1, 7, 1000, len(test.output) + 1} {
				var x excerpt
				if test.headOnly {
					x.restart()
				}
				for rest := test.output; rest != ""; rest = rest[min(size, len(rest)):] {
					x.add(rest[:min(size, len(rest))])
				}
				got := x.text()
				if !strings.HasPrefix(got, test.begins) || !strings.HasSuffix(strings.TrimSpace(got), strings.TrimSpace(test.ends)) {
					t.Errorf("in pieces of %d bytes got\n%s", size, got)
				}
				if strings.Contains(got, "…") != test.marked {
					t.Errorf("in pieces of %d bytes what is missing is not marked:\n%s", size, got)
				}
				if cut := results.Cut(got, results.MaxMessage); !test.headOnly && cut != strings.TrimSpace(got) {
					t.Errorf("in pieces of %d bytes it is no message: %d bytes", size, results.Size(got))
				}
				if kept := cap(x.head) + cap(x.tail); kept > 3<<10 {
					t.Errorf("in pieces of %d bytes %d bytes are kept", size, kept)
				}
			}
		})
	}
}

func TestExcerptKeepsTheEndWhereverItIs(t *testing.T) {
	for length := range 4 * maxTail {
		var x excerpt
		for i := range maxHead + length {
			x.add(string(rune('a' + i%26)))
		}
		if len(x.tail) < min(length, maxTail) || len(x.tail) > 2*maxTail {
			t.Fatalf("of %d bytes after the head %d are kept", length, len(x.tail))
		}
	}
}
