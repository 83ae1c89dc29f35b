package tap

import (
	"fmt"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

func lines(lines ...string) string { return strings.Join(lines, "\n") + "\n" }

func TestPlansAreComparedWithThePoints(t *testing.T) {
	for _, c := range []struct {
		name, stdout, want string
	}{
		{"a plan at the start is reached", lines("1..2", "ok 1", "ok 2"), ""},
		{"a plan at the end is reached", lines("ok 1", "ok 2", "1..2"), ""},
		{"points without numbers take the next", lines("1..3", "ok", "ok 2", "ok"), ""},
		{"points come in any order", lines("1..4", "ok 3", "ok 1", "ok 4", "ok 2"), ""},
		{"points are missing", lines("1..5", "ok 1", "ok 2"), "planned 5 cases, ran 2"},
		{"nothing follows the version", lines("TAP version 14"), "no plan was seen: the test ended after 0 cases without saying how many there are"},
		{"one point is missing of one", lines("1..1"), "planned 1 case, ran 0"},
		{"points are too many", lines("1..1", "ok 1", "ok 2"), "planned 1 case, ran 2"},
		{"nothing was planned", lines("1..0", "ok 2"), "planned 0 cases, ran 1"},
		{"the plan is missing", lines("ok 1", "ok 2"), "no plan was seen: the test ended after 2 cases without saying how many there are"},
		{"the plan is in the middle", lines("ok 1", "1..3", "ok 2", "ok 3"), "the plan came in the middle, after 1 of 3 cases"},
		{"a second plan comes early", lines("1..2", "ok 1", "1..2", "ok 2"), "2 plans were seen, the last one for 2 cases, and there were 2"},
		{"a second plan comes last", lines("1..2", "ok 1", "ok 2", "1..2"), "planned 2 cases, ran 0"},
		{"a number comes twice", lines("1..4", "ok 1", "ok 2", "ok 2", "ok 4"), "the cases are not numbered 1 to 4, each once: 2 came where 3 was due"},
		{"a number is left out", lines("1..3", "ok 1", "ok 3", "ok 4"), "the cases are not numbered 1 to 3, each once: 3 came where 2 was due"},
		{"a number is zero", lines("1..2", "ok 0", "ok 1"), "the cases are not numbered 1 to 2, each once: 0 came where 1 was due"},
		{"numbers are wrong but add up", lines("1..3", "ok 2", "ok 2", "ok 2"), "the cases are not numbered 1 to 3, each once: 2 came where 1 was due"},
		{"a number is huge", lines("1..2", "ok 1", "ok 99999999999999999999"), "the cases are not numbered 1 to 2, each once: 18446744073709551615 came where 2 was due"},
		{"a plan is huge", lines("1..99999999999999999999", "ok 1"), "planned 18446744073709551615 cases, ran 1"},
		{"the last line is cut", "1..3\nok 1\nok 2\nno", "planned 3 cases, ran 2"},
		{"YAML is cut", "1..2\nnot ok 1\n  ---\n  message: 'x", "planned 2 cases, ran 1"},
		{"a second document is short", lines("TAP version 14", "1..1", "ok 1", "TAP version 14", "1..2", "ok 1"), "planned 2 cases, ran 1"},
		{"a first document is short", lines("TAP version 14", "1..2", "ok 1", "TAP version 14", "1..1", "ok 1"), "planned 2 cases, ran 1"},
		{"two documents have their plans first", lines("1..1", "ok 1", "1..2", "ok 1", "ok 2"), ""},
		{"two documents have their plans last", lines("ok 1", "1..1", "ok 1", "ok 2", "1..2"), ""},
		{"a document runs nothing, the next one does", lines("1..0 # SKIP no network", "1..1", "ok 1"), ""},
		{"plans that are none are ignored", lines("1..2", "ok 1", "1..x", "2..3", "ok 2"), ""},
		{"a file of prove has two plans", lines("a.t .. ", "1..1", "ok 1", "1..1", "All 1 subtests passed "), "a.t: 2 plans were seen, the last one for 1 case, and there were 1"},
		{"a file of prove is short", lines("a.t .. ", "1..2", "ok 1", "Failed 1/2 subtests ", "b.t .. ", "1..1", "ok 1", "ok"), "a.t: planned 2 cases, ran 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := read(c.stdout, "", wholly, false)
			if s.DefectMessage != c.want || (s.Defect == results.PlanNotReached) != (c.want != "") {
				t.Errorf("noted %s: %q, want %q", s.Defect, s.DefectMessage, c.want)
			}
		})
	}
}

func TestStreamsAreReadAsTheyAreMeant(t *testing.T) {
	for _, c := range []struct {
		name, stdout, stderr string
		want                 []string
	}{
		{"nothing is no TAP", "", "", []string{"recognized false: 0 passed, 0 failed, 0 errored, 0 skipped in 0s"}},
		{
			"a document that runs nothing is a skipped case", lines("1..0 # SKIP no network"), "",
			[]string{"recognized true: 0 passed, 0 failed, 0 errored, 1 skipped in 0s", "Skipped all tests", "\tno network"},
		},
		{
			"a bare ok is a test point without prove", lines("1..2", "ok", "ok"), "",
			[]string{"recognized false: 2 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed test 1", "Passed test 2"},
		},
		{
			"TODO and SKIP excuse a failure", lines("1..3", "not ok 1 a # TODO b", "not ok 2 c # SKIP d", "ok 3 e # TODO f"), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 2 skipped in 0s", "Skipped a", "\tTODO: b", "Skipped c", "\td", "Passed e"},
		},
		{
			"what follows Bail out counts for nothing", lines("1..3", "not ok 1 a", "# why", "BAIL OUT!  no \\# server", "ok 2", "1..7"), "",
			[]string{"recognized true: 0 passed, 1 failed, 0 errored, 0 skipped in 0s", "BailedOut: no # server", "Failed a", "\twhy"},
		},
		{
			"a subtest bails out for all", lines("1..2", "ok 1 a", "    1..2", "    Bail out! inner", "ok 2 b"), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "BailedOut: inner", "Passed a"},
		},
		{
			"a document counts behind one that bailed out", lines("TAP version 14", "Bail out! x", "ok 1", "TAP version 14", "1..1", "ok 1 a"), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "BailedOut: x", "Passed a"},
		},
		{
			"what is no TAP is ignored", lines("okay", "1..2", "", "\tok 7", "  ok 8", "ok 1 a", "pragma +strict", "not okay", "Bail out", "ok 2 b", "  indented"), "",
			[]string{"recognized true: 2 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed a", "Passed b"},
		},
		{
			"comments belong to the failing point before them", lines("# before", "1..3", "not ok 1 a", "# why", "#   why else", "ok 2 b", "# not why", "not ok 3 c", "# Looks like you failed 2 tests of 3."), "",
			[]string{"recognized true: 1 passed, 2 failed, 0 errored, 0 skipped in 0s", "Failed a", "\twhy", "\twhy else", "Failed c", "Passed b"},
		},
		{
			"YAML tells how long a case took and why it failed",
			lines("1..2", "ok 1 a", "  ---", "  duration_ms: 1500", "  why: not", "  ...", "not ok 2 b", "  ---", "  duration_ms: '2.5'", "  deep:", "    duration_ms: 9", "", "  ok: 1", "ok 7", "  ..."), "",
			[]string{
				"recognized true: 2 passed, 1 failed, 0 errored, 0 skipped in 1.5025s",
				"PlanNotReached: planned 2 cases, ran 3", "Failed b (2.5ms)", "\tdeep:", "\t  duration_ms: 9", "\t", "\tok: 1", "Passed a (1.5s)", "Passed test 7",
			},
		},
		{
			"a duration that cannot be is ignored", lines("1..1", "ok 1 a", "  ---", "  duration_ms: NaN", "  duration_ms: -1", "  duration_ms: 1e99", "  ..."), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed a"},
		},
		{
			"a point that passes fails with its subtest", lines("1..2", "    ok 1 - a", "    not ok 2 - b", "    1..2", "ok 1 - c", "    1..2", "    ok 1", "ok 2 - d"), "",
			[]string{
				"recognized true: 0 passed, 2 failed, 0 errored, 0 skipped in 0s",
				"Failed c", "\tit says ok, but its subtest is not: 1 of 2 cases failed", "\tb",
				"Failed d", "\tit says ok, but its subtest is not: planned 2 cases, ran 1",
			},
		},
		{
			"a directive excuses a subtest", lines("1..2", "    not ok 1 - a", "    1..1", "ok 1 - b # TODO c", "    1..3", "ok 2 - d # SKIP e"), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 1 skipped in 0s", "Skipped d", "\te", "Passed b"},
		},
		{
			"a directive excuses a part of a subtest", lines("1..1", "        not ok 1 - a", "        1..1", "    not ok 1 - b # TODO", "    not ok 2 - c # TODO", "    1..2", "ok 1 - d"), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed d"},
		},
		{
			"a short subtest explains a failure", lines("1..1", "    1..2", "    ok 1", "not ok 1 - a"), "",
			[]string{"recognized true: 0 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a", "\tin its subtest: planned 2 cases, ran 1"},
		},
		{
			"nested failures go by their path", lines("1..1", "            not ok 1 - a", "            # why", "            1..1", "        not ok 1 - b", "        1..1", "    not ok 1 - c", "    not ok 2", "    # and why", "    1..2", "not ok 1 - d"), "",
			[]string{"recognized true: 0 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed d", "\tc / b / a", "\twhy", "\ttest 2", "\tand why"},
		},
		{
			"indented output without a plan is no subtest that ends early", lines("1..1", "    ok 1 - a", "    ok 5 - b", "ok 1 - c"), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed c"},
		},
		{
			"a subtest in braces is told by its point", lines("1..2", "ok 1 - a {", "    1..3", "    not ok 1", "}", "ok 2 - b"), "",
			[]string{"recognized true: 2 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed a", "Passed b"},
		},
		{
			"a subtest in braces explains why its point failed",
			lines("1..2", "not ok 1 - a {", "    1..3", "    ok 1 - b", "    not ok 2 - c", "      ---", "      found: 1", "      ...", "    not ok 3 - d # TODO", "}", "ok 2 - e {", "    not ok 1 - f", "}"), "",
			[]string{"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a", "\tnot ok 2 - c", "\tfound: 1", "Passed e"},
		},
		{
			"diagnostics find their points by name, the first one first",
			lines("1..4", "not ok 1 - a", "not ok 2 - b", "not ok 3 - a", "not ok 4"),
			lines("#   Failed test 'b'", "#   at x line 2.", "", "#   Failed test 'a'", "#   at x line 1.", "#   Failed test 'a'", "#   at x line 3.", "#   Failed test 'c'", "# lost", "#   Failed test at x line 4."),
			[]string{
				"recognized true: 0 passed, 4 failed, 0 errored, 0 skipped in 0s",
				"Failed a", "\tat x line 1.", "Failed b", "\tat x line 2.", "Failed a", "\tat x line 3.", "Failed test 4", "\tat x line 4.",
			},
		},
		{
			"diagnostics find their points by depth", lines("1..1", "    not ok 1 - a", "    1..1", "not ok 1 - a"),
			lines("    #   Failed test 'a'", "    #   at x line 1.", "#   Failed test 'a'", "#   at x line 2."),
			[]string{"recognized true: 0 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a", "\ta", "\tat x line 1.", "\tat x line 2."},
		},
		{
			"what a directive excuses explains no other failure",
			lines("1..1", "        not ok 1 - a", "        1..1", "    not ok 1 - b # TODO", "    not ok 2 - c", "    1..2", "not ok 1 - d"), "",
			[]string{"recognized true: 0 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed d", "\tc"},
		},
		{
			"a program that is loading is no file of prove", lines("loading ... ", "1..1", "ok 1 a"), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed a"},
		},
		{
			"a file that dies says why last", lines("a.t .. ", "1..1", "ok 1", "Dubious, test returned 2 (wstat 512, 0x200)", "All 1 subtests passed "),
			lines("# note", "no server", "# Looks like your test exited with 2 just after 1."),
			[]string{
				"recognized true: 1 passed, 0 failed, 1 errored, 0 skipped in 0s",
				"Errored a.t", "\tDubious, test returned 2 (wstat 512, 0x200)", "\tnote", "\tno server", "Passed [a.t] test 1",
			},
		},
		{
			"a file that is killed, or does not keep its plan, is named whatever others do",
			lines("a.t .. ", "1..2", "ok 1", "Failed 1/2 subtests ", "b.t .. ", "1..3", "ok 1", "ok 1", "ok 3", "All 3 subtests passed "), "",
			[]string{
				"recognized true: 4 passed, 0 failed, 2 errored, 0 skipped in 0s",
				"PlanNotReached: a.t: planned 2 cases, ran 1",
				"Errored a.t", "\tFailed 1/2 subtests", "\tplanned 2 cases, ran 1",
				"Errored b.t", "\tAll 3 subtests passed", "\tthe cases are not numbered 1 to 3, each once: 1 came where 2 was due",
				"Passed [a.t] test 1", "Passed [b.t] test 1", "Passed [b.t] test 1", "Passed [b.t] test 3",
			},
		},
		{
			"an exit code that is the number of failures says nothing more",
			lines("a.t .. ", "1..2", "not ok 1", "# x", "not ok 2 # TODO", "Dubious, test returned 1 (wstat 256, 0x100)", "Failed 1/2 subtests "), "",
			[]string{"recognized true: 0 passed, 1 failed, 0 errored, 1 skipped in 0s", "Failed [a.t] test 1", "\tx", "Skipped [a.t] test 2", "\tTODO"},
		},
		{
			"behind the summary of prove nothing counts",
			lines("a.t .. ", "1..1", "ok 1", "ok", "", "Test Summary Report", "-------------------", "ok 2", "b.t .. ", "TAP version 13", "1..3", "Result: PASS", "ok 3"), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed [a.t] test 1"},
		},
		{
			"what looks like prove hides no TAP",
			lines("src/a.c .. ok", "TAP version 13", "1..1", "not ok 1 - b", "# why"), "",
			[]string{"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed b", "\twhy", "Passed src/a.c"},
		},
		{
			"prove is stopped by a test", lines("Bailout called.  Further testing stopped:  no server", "a.t .. ", "1..1", "Dubious, test returned 255 (wstat 65280, 0xff00)", "Failed 1/1 subtests "), lines("FAILED--Further testing stopped: no server"),
			[]string{"recognized true: 0 passed, 0 failed, 0 errored, 0 skipped in 0s", "BailedOut: no server"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := lines(c.want...)
			for _, stderrFirst := range []bool{false, true} {
				if got := describe(read(c.stdout, c.stderr, wholly, stderrFirst)); got != want {
					t.Errorf("with the standard error first %t got\n%s\nwant\n%s", stderrFirst, got, want)
				}
			}
			if got := describe(read(c.stdout, c.stderr, 1, false)); got != want {
				t.Errorf("byte by byte got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestOnlyTAPIsRecognized(t *testing.T) {
	for _, c := range []struct {
		stdout string
		want   bool
	}{
		{"TAP version 13\n", true},
		{"TAP version 15\n", true},
		{"1..0 # skip no network\n", true},
		{"ok 1\n", true},
		{"not ok 1 - adds\n", true},
		{"t/a.t .. \n1..3\n", true},
		{"t/a.t .. skipped: no network\n", true},
		{"t/a.t .. \nDubious, test returned 2 (wstat 512, 0x200)\n", true},
		{"1..3\nBail out!\n", true},
		{"", false},
		{"ok\n", false},
		{"ok then\n", false},
		{"not ok, sorry\n", false},
		{"ok 2\n", false},
		{"1..10\n", false},
		{"1..0\n", false},
		{"    ok 1\n", false},
		{"Bail out!\n", false},
		{"TAP version\n", false},
		{"src/a.c ... ok\n", false},
		{"src/a.c ... \nok\n", false},
		{"All 3 subtests passed\n", false},
	} {
		if _, got := read(c.stdout, "", wholly, false); got != c.want {
			t.Errorf("%q is recognized: %t, want %t", c.stdout, got, c.want)
		}
	}
}

func TestCasesAreCountedInTimeAndExplainedLater(t *testing.T) {
	var s results.Summary
	r := New(&s)
	for _, step := range []struct {
		stdout, stderr string
		total          int64
		message        string // of the first case
		why            string
	}{
		{"1..4\nnot ok 1 - a\n", "", 0, "", "the last case may still get its YAML"},
		{"ok 2\n", "", 1, "", "the next test point ends the first"},
		{"ok 3\n", "", 2, "", "a failing case is counted before it is explained"},
		{"", "#   Failed test 'a'\n#   at x line 1.\n", 2, "", "diagnostics may go on"},
		{"", "\n", 2, "at x line 1.", "now they have ended"},
		{"not ok 4 - b\n# why\n", "", 3, "at x line 1.", "case 4 may get more comments"},
		{"done\n", "", 3, "at x line 1.", "other lines end nothing"},
	} {
		_, _ = r.Write([]byte(step.stdout))
		_, _ = r.Stderr().Write([]byte(step.stderr))
		message := ""
		if cases := s.Cases(); len(cases) > 0 {
			message = cases[0].Message
		}
		if s.Total() != step.total || message != step.message {
			t.Errorf("after %q and %q there are %d cases, the first says %q, want %d, %q: %s",
				step.stdout, step.stderr, s.Total(), message, step.total, step.message, step.why)
		}
	}
	r.Close()
	if cases := s.Cases(); s.Total() != 4 || cases[1].Message != "why" {
		t.Errorf("at the end there are %+v", cases)
	}
}

func TestManyFailuresAreCountedAndTheFirstKept(t *testing.T) {
	var stdout, stderr strings.Builder
	const n = 3 * results.MaxCases
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&stdout, "not ok %d - case %d\n", i, i)
		fmt.Fprintf(&stderr, "#   Failed test 'case %d'\n#   at x line %d.\n\n", i, i)
	}
	fmt.Fprintf(&stdout, "1..%d\n", n)
	s, _ := read(stdout.String(), stderr.String(), wholly, false)
	if s.Failed != n || s.Defect != "" {
		t.Fatal(describe(s, true))
	}
	for i, c := range s.Cases() {
		if c.Name != fmt.Sprintf("case %d", i+1) || c.Message != fmt.Sprintf("at x line %d.", i+1) {
			t.Errorf("case %d is %+v", i+1, c)
		}
	}
}
