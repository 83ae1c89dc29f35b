//go:build linux

package program

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// shapes print TAP of unusual shapes, each with one case that fails.
var shapes = map[string]func(out io.Writer){
	"5,000 levels of subtests": func(out io.Writer) {
		fmt.Fprintln(out, "TAP version 14")
		for level := 5000; level > 0; level-- {
			indent := strings.Repeat(" ", 4*level)
			fmt.Fprintf(out, "%[1]snot ok 1 - level %[2]d\n%[1]s  ---\n%[1]s  why: it broke\n%[1]s  ...\n%[1]s1..1\n", indent, level)
		}
		fmt.Fprint(out, "not ok 1 - top\n1..1\n")
	},
	"5,000 levels of braces": func(out io.Writer) {
		fmt.Fprintln(out, "TAP version 14\n1..1")
		for level := range 5000 {
			indent := strings.Repeat(" ", 4*level)
			fmt.Fprintf(out, "%[1]snot ok 1 - level %[2]d {\n%[1]s    1..1\n", indent, level)
		}
		for level := 4999; level >= 0; level-- {
			fmt.Fprintf(out, "%s}\n", strings.Repeat(" ", 4*level))
		}
	},
	"two million lines of YAML": func(out io.Writer) {
		fmt.Fprint(out, "1..1\nnot ok 1 - a\n  ---\n  stack:\n")
		for n := range 2_000_000 {
			fmt.Fprintf(out, "    at line %d of the stack\n", n)
		}
		fmt.Fprintln(out, "  ...")
	},
	"two million lines of an error, unindented": func(out io.Writer) {
		fmt.Fprint(out, "1..1\nnot ok 1 - a\n  ---\n  error: 'x\n")
		for n := range 2_000_000 {
			fmt.Fprintf(out, "line %d of the error\n", n)
		}
		fmt.Fprintln(out, "'\n  ...")
	},
}

func TestMemoryDoesNotGrowWithTheShapeOfTAP(t *testing.T) {
	program := build(t)
	for name := range shapes {
		t.Run(name, func(t *testing.T) {
			peak, report := measure(t, program, name)
			t.Logf("%d KiB of memory", peak)
			if report.Format != "TAP" || report.Failed != 1 || report.Total() != 1 || report.Defect != "" {
				t.Errorf("it reports %s: %d of %d cases failed, %s", report.Format, report.Failed, report.Total(), report.DefectMessage)
			}
			if peak == 0 || peak > maxMemory {
				t.Errorf("it took up %d KiB, want at most %d", peak, maxMemory)
			}
		})
	}
}

func TestAutoFindsTAPByItsPlan(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"a plan and nothing else":          {`echo 1..3`, "TAP 0/0/0/0 PlanNotReached; planned 3 cases, ran 0"},
		"points without numbers":           {`echo 1..2; echo ok; echo not ok`, "TAP 1/1/0/0"},
		"colors":                           {`printf '1..1\n\033[31mnot ok 1 - red\033[0m\n'`, "TAP 0/1/0/0"},
		"a test that dies in the middle":   {`echo starting; echo 1..3; echo ok - a; exit 0`, "TAP 1/0/0/0 PlanNotReached; planned 3 cases, ran 1"},
		"a plan that comes last":           {`echo ok a; echo ok b; echo 1..2; echo done`, "TAP 2/0/0/0"},
		"a failure that was never planned": {`echo ok 1 a; echo not ok 2 b`, "TAP 1/1/0/0 PlanNotReached; no plan was seen: the test ended after 2 cases without saying how many there are"},
		"one line that begins like TAP":    {`echo ok 1 record was written; echo all done`, "0/0/0/0"},
		"a range in what it prints":        {`echo Choose a number:; echo 1..10; echo ok then`, "0/0/0/0"},
		"prove without a test":             {`echo Files=0, Tests=0; echo Result: NOTESTS`, "TAP 0/0/0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := said(startRunner(t, test.script).end().report); got != test.want {
				t.Errorf("it reports %q, want %q", got, test.want)
			}
		})
	}
}
