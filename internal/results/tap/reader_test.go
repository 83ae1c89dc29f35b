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
		{"a number comes twice", lines("1..4", "ok 1", "ok 2", "ok 2", "ok 4"), ""},
		{"a number is left out", lines("1..3", "ok 1", "ok 3", "ok 4"), ""},
		{"a number is zero", lines("1..2", "ok 0", "ok 1"), ""},
		{"a number is huge", lines("1..2", "ok 1", "ok 99999999999999999999"), ""},
		{"numbers restart with each file", lines("1..4", "ok 1", "ok 2", "ok 1", "ok 2"), ""},
		{"numbers restart before a plan", lines("ok 1", "ok 2", "ok 1", "1..3"), ""},
		{"numbers restart and one is missing", lines("ok 1", "ok 2", "ok 1", "1..4"), "planned 4 cases, ran 3"},
		{"two documents without numbers have their plans last", lines("ok", "ok", "1..2", "ok", "1..1"), ""},
		{"a document with its plan last is followed by points", lines("ok", "1..1", "ok"), "no plan was seen: the test ended after 1 case without saying how many there are"},
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
			[]string{"recognized true: 2 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed test 1", "Passed test 2"},
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
			"comments before the first point are headings, and so are those behind a failing point",
			lines("1..4", "# opens", "not ok 1 a", "# closes", "not ok 2 b", "# Traceback (most recent call last):", "# where", "# locks", "not ok 3 c", "# AssertionError: no", "not ok 4 d", "", "# Failed test 4", "# End"), "",
			[]string{
				"recognized true: 0 passed, 4 failed, 0 errored, 0 skipped in 0s",
				"Failed a", "Failed b", "\tTraceback (most recent call last):", "\twhere", "\tlocks", "Failed c", "\tAssertionError: no", "Failed d", "\tFailed test 4", "\tEnd",
			},
		},
		{
			"counts, and what comes behind YAML or an empty line, are not about the failing point",
			lines("1..4", "not ok 1 a", "  ---", "  why: a", "  ...", "# next", "not ok 2 b", "", "# next", "not ok 3 c", "# why", "# Subtest: next", "# of it", "not ok 4 d", "# tests 4", "# fail 4"), "",
			[]string{
				"recognized true: 0 passed, 4 failed, 0 errored, 0 skipped in 0s",
				"Failed a", "\twhy: a", "Failed b", "Failed c", "\twhy", "Failed d",
			},
		},
		{
			"text behind a failing point says why, unless diagnostics do",
			lines("1..4", "not ok 1 a", "Error: no", "    at x.js:1", "", "more", "not ok 2 b", "  Error: no", "", "    not ok 1 quoted", "  # quoted", "not ok 3 c", "# why", "text", "not ok 4 d", "debugging"), lines("#   Failed test 'd'", "#   at d.t line 4."),
			[]string{
				"recognized true: 0 passed, 4 failed, 0 errored, 0 skipped in 0s",
				"Failed a", "\tError: no", "\t    at x.js:1", "Failed b", "\tError: no", "\t", "\t  not ok 1 quoted", "\t# quoted", "Failed c", "\twhy", "Failed d at d.t:4", "\tat d.t line 4.",
			},
		},
		{
			"names of one case that end like a time are names", lines("1..1", "ok 1 answers in 5ms"), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed answers in 5ms"},
		},
		{
			"names end with a time if all do", lines("1..2", "ok 1 answers in 5ms", "not ok 2 in 7ms in 20ms", "# why"), "",
			[]string{"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 25ms", "Failed in 7ms (20ms)", "\twhy", "Passed answers (5ms)"},
		},
		{
			"the plan says which points are expected to fail", lines("1..4 todo 2 3;", "ok", "not ok", "ok", "not ok"), "",
			[]string{"recognized true: 2 passed, 1 failed, 0 errored, 1 skipped in 0s", "Failed test 4", "Skipped test 2", "\tTODO", "Passed test 1", "Passed test 3"},
		},
		{
			"a subtest before the first point of a second document counts", lines("1..1", "ok 1", "    not ok 1 - a", "    1..1", "ok 1 - b", "1..1"), "",
			[]string{
				"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s",
				"Failed b", "\tit says ok, but its subtest is not: 1 of 1 case failed", "\ta", "Passed test 1",
			},
		},
		{
			"YAML is indented by tabs", lines("1..2", "not ok 1 a", "\t---", "\twhy: not", "\t  at: all", "\t...", "ok 2 b", "\t\t\t\tnot ok 1 is no subtest"), "",
			[]string{"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a", "\twhy: not", "\t  at: all", "Passed b"},
		},
		{
			"colors are dropped wherever they are",
			lines("\x1b[1;37m1..3\x1b[0m", "\x1b[32mok\x1b[39m 1 a", "\x1b[31mnot\x1b[m ok 2 - b\x1b(B\x1b[m", "\x1b[90m# why\x1b[0m", "    \x1b[31mnot ok 1 - d\x1b[K", "\x1b[38;5;9mnot ok 3 - c\x1b[0m \x1b[2m# TODO\x1b[0m later"), "",
			[]string{"recognized true: 1 passed, 1 failed, 0 errored, 1 skipped in 0s", "Failed b", "\twhy", "Skipped c", "\tTODO: later", "Passed a"},
		},
		{
			"YAML tells how long a case took and why it failed",
			lines("1..2", "ok 1 a", "  ---", "  duration_ms: 1500", "  why: not", "  ...", "not ok 2 b", "  ---", "  duration_ms: '2.5'", "  deep:", "    duration_ms: 9", "", "  ok: 1", "ok 7", "  ..."), "",
			[]string{
				"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 1.5025s",
				"Failed b (2.5ms)", "\tdeep:", "\t  duration_ms: 9", "\t", "\tok: 1", "\tok 7", "Passed a (1.5s)",
			},
		},
		{
			"YAML holds lines that look like TAP, as long as it is closed",
			lines("1..2", "not ok 1 a", "    ---", "    message: \"first", "ok 2 - forged", "1..7", "  ---", "  ...", "Bail out! no", "}", "\"", "    ...", "ok 2 b"), "",
			[]string{
				"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s",
				"Failed a", "\tmessage: \"first", "\tok 2 - forged", "\t1..7", "\t---", "\t...", "\tBail out! no", "\t}", "\t\"", "Passed b",
			},
		},
		{
			"YAML that is not closed before the next block ends with the next point",
			lines("1..3", "not ok 1 a", "  ---", "  why: a", "not ok 2 b", "  ---", "  why: b", "ok 3 c"), "",
			[]string{"recognized true: 1 passed, 2 failed, 0 errored, 0 skipped in 0s", "Failed a", "\twhy: a", "Failed b", "\twhy: b", "Passed c"},
		},
		{
			"YAML that is never closed ends with the next point",
			lines("1..3", "not ok 1 a", "  ---", "  why: a", "ok 2 b", strings.Repeat("# "+strings.Repeat("x", 1000)+"\n", 20)+"ok 3 c"), "",
			[]string{"recognized true: 2 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a", "\twhy: a", "Passed b", "Passed c"},
		},
		{
			"a duration that cannot be is ignored", lines("1..1", "ok 1 a", "  ---", "  duration_ms: NaN", "  duration_ms: -1", "  duration_ms: 1e99", "  ..."), "",
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "Passed a"},
		},
		{
			"a point that passes fails with a point of its subtest, not with the form of it", lines("1..2", "    ok 1 - a", "    not ok 2 - b", "    1..2", "ok 1 - c", "    1..2", "    ok 1", "ok 2 - d"), "",
			[]string{
				"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s",
				"Failed c", "\tit says ok, but its subtest is not: 1 of 2 cases failed", "\tb", "Passed d",
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
			"a subtest in braces is one like any other",
			lines("1..3", "ok 1 - a {", "    1..3", "    ok 1", "}", "ok 2 - b {", "    not ok 1 - c", "}", "ok 3 - d {", "}"), "",
			[]string{
				"recognized true: 2 passed, 1 failed, 0 errored, 0 skipped in 0s",
				"Failed b", "\tit says ok, but its subtest is not: 1 of 1 case failed", "\tc", "Passed a", "Passed d",
			},
		},
		{
			"a subtest in braces explains why its point failed",
			lines("1..2", "not ok 1 - a {", "    1..3", "    ok 1 - b", "    not ok 2 - c", "      ---", "      found: 1", "      ...", "    not ok 3 - d # TODO", "}", "ok 2 - e {", "    ok 1 - f", "}"), "",
			[]string{"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a", "\tc", "\tfound: 1", "Passed e"},
		},
		{
			"braces are within braces", lines("1..2", "not ok 1 - a {", "    not ok 1 - b {", "        not ok 1 - c", "        # why", "    }", "    ok 2 - d {", "        ok 1", "    }", "}", "ok 2 - e"), "",
			[]string{"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a", "\tb / c", "\twhy", "Passed e"},
		},
		{
			"a directive or a time stands before the brace",
			lines("1..3", "ok 1 - a # TODO b {", "    not ok 1 - c", "}", "ok 2 - d # time=5ms {", "    ok 1", "}", "ok 3 - e # SKIP {"), "",
			[]string{"recognized true: 2 passed, 0 failed, 0 errored, 1 skipped in 5ms", "Skipped e", "\t{", "Passed a", "Passed d (5ms)"},
		},
		{
			"YAML stands before the brace", lines("1..2", "not ok 1 - a", "  ---", "  at: a.js", "  ...", "{", "    not ok 1 - b", "    # why", "    1..1", "}", "ok 2 - c"), "",
			[]string{"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a", "\tb", "\twhy", "\tat: a.js", "Passed c"},
		},
		{
			"a subtest behind a name that ends with a brace is the next point's",
			lines("1..3", "ok 1 - a {", "    not ok 1 - b", "    # why", "    1..1", "not ok 2 - c", "    ok 1 - d {", "        not ok 1 - e", "        1..1", "    not ok 2 - f", "    1..2", "not ok 3 - g"), "",
			[]string{"recognized true: 1 passed, 2 failed, 0 errored, 0 skipped in 0s", "Failed c", "\tb", "\twhy", "Failed g", "\tf / e", "Passed a {"},
		},
		{
			"a subtest in braces that breaks off counts", lines("1..1", "ok 1 - a {", "    not ok 1 - b"), "",
			[]string{"recognized true: 0 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a {", "\tit says ok, but its subtest is not: 1 of 1 case failed", "\tb"},
		},
		{
			"a name ends with a brace", lines("1..4", "ok 1 - a {", "not ok 2 - b {", "# why", "not ok 3 c {", "  ---", "  at: c.js", "  ...", "ok 4 d {"), "",
			[]string{"recognized true: 2 passed, 2 failed, 0 errored, 0 skipped in 0s", "Failed b {", "\twhy", "Failed c {", "\tat: c.js", "Passed a {", "Passed d {"},
		},
		{
			"diagnostics find their points by name, the first one first",
			lines("1..4", "not ok 1 - a", "not ok 2 - b", "not ok 3 - a", "not ok 4"),
			lines("#   Failed test 'b'", "#   at x line 2.", "", "#   Failed test 'a'", "#   at x line 1.", "#   Failed test 'a'", "#   at x line 3.", "#   Failed test 'c'", "# lost", "#   Failed test at x line 4."),
			[]string{
				"recognized true: 0 passed, 4 failed, 0 errored, 0 skipped in 0s",
				"Failed a at x:1", "\tat x line 1.", "Failed b at x:2", "\tat x line 2.", "Failed a at x:3", "\tat x line 3.", "Failed test 4 at x:4", "\tat x line 4.",
			},
		},
		{
			"diagnostics find their points by depth", lines("1..1", "    not ok 1 - a", "    1..1", "not ok 1 - a"),
			lines("    #   Failed test 'a'", "    #   at x line 1.", "#   Failed test 'a'", "#   at x line 2."),
			[]string{"recognized true: 0 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed a at x:2", "\ta", "\tat x line 1.", "\tat x line 2."},
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
				"Errored b.t", "\tAll 3 subtests passed, but prove does not call it ok: it was killed, or printed TAP that prove does not accept",
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
			"prove that runs no file has no case", lines("Files=0, Tests=0,  0 wallclock secs", "Result: NOTESTS"), "",
			[]string{"recognized true: 0 passed, 0 failed, 0 errored, 0 skipped in 0s"},
		},
		{
			"prove that skips all files has skipped them", lines("t/a.t .. skipped: no network", "Files=1, Tests=0,  0 wallclock secs", "Result: NOTESTS"), "",
			[]string{"recognized true: 0 passed, 0 failed, 0 errored, 1 skipped in 0s", "Skipped t/a.t", "\tno network"},
		},
		{
			"what looks like prove hides no TAP",
			lines("src/a.c .. ok", "TAP version 13", "1..1", "not ok 1 - b", "# why"), "",
			[]string{"recognized true: 1 passed, 1 failed, 0 errored, 0 skipped in 0s", "Failed b", "\twhy", "Passed src/a.c"},
		},
		{
			"prove with several jobs is stopped by a test", lines("Bailout called.  Further testing stopped:  no server", "a.t .. ", "ok 1 - a", "ok", "All tests successful."), lines("FAILED--Further testing stopped: no server"),
			[]string{"recognized true: 1 passed, 0 failed, 0 errored, 0 skipped in 0s", "BailedOut: no server", "Passed [a.t] a"},
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
		name, stdout string
		want         bool
	}{
		{"a version", "TAP version 13\n", true},
		{"a version to come", "TAP version 15\n", true},
		{"a version in other letters", "tap version 13\nok 1\n", true},
		{"a version without a number", "TAP version\n", false},
		{"a version in prose", "TAP version 13 is what we print\n", false},

		{"a plan that is reached", "1..2\nok 1\nok 2\n", true},
		{"a plan behind its points", "ok 1\nnot ok 2\n1..2\n", true},
		{"a plan behind unnumbered points", "ok - a\nnot ok - b\n1..2\n", true},
		{"a plan, and text behind it", "ok 1\n1..1\ndone\n", true},
		{"a plan of bare words that agrees", "checking\n1..2\nok\nnot ok\n", true},
		{"a plan in color", "\x1b[1m1..1\x1b[0m\n\x1b[31mnot ok 1 - a\x1b[0m\n", true},
		{"a plan behind a heading of the program", "Starting the server\n\n1..1\nok 1\n", true},
		{"a plan that skips all", "1..0 # skip no network\ndone\n", true},

		{"nothing but a plan", "1..3\n", true},
		{"a plan at the end, and comments", "Starting\n1..3\n# server is up\n\n", true},
		{"a test that dies behind its plan's first points", "1..3\nok 1\nok 2\nKilled\n", true},
		{"a test that dies behind unnumbered points", "Starting\n1..3\nok - a\n", true},
		{"a test that dies behind bare points", "1..3\nok\n", true},
		{"a test that dies in a subtest", "1..3\n    ok 1 - a\n", true},
		{"a test that bails out behind its plan", "1..3\nBail out!\n", true},
		{"a test that bails out behind a point", "ok 1\nBail out!\n", true},
		{"a failure that was never planned", "ok 1 a\nnot ok 2 b\n", true},

		{"a file of prove", "t/a.t .. \n1..3\n", true},
		{"a file of prove that is skipped", "t/a.t .. skipped: no network\n", true},
		{"a file of prove that died", "t/a.t .. \nDubious, test returned 2 (wstat 512, 0x200)\n", true},

		{"prove without a test", "Files=0, Tests=0,  0 wallclock secs\nResult: NOTESTS\n", true},

		{"nothing", "", false},
		{"a line that begins like a point", "ok 1 record was written\nall done\n", false},
		{"several lines that begin like points", "ok 1 file copied\nok 2 files copied\nok 3 files copied\n", false},
		{"one line that says not ok", "not ok 1 - the server is down\n", false},
		{"points out of turn", "ok 2 - a\nnot ok 7 - b\n", false},
		{"a plan of nothing", "1..0\n", false},
		{"a number and no more", "ok 1\n", false},
		{"a word and no more", "ok\n", false},
		{"a sentence", "ok then, let us begin\nnot ok, sorry\n", false},
		{"a later number", "ok 2\n", false},
		{"a range in a list of ranges", "1..100\n101..200\n", false},
		{"a range in prose", "Choose a number:\n1..10\nok then, it is 7\n", false},
		{"a range within a line", "1..2 of the files are copied\nok 1 is done\n", false},
		{"an indented point", "    ok 1\n", false},
		{"a bail-out and no more", "Bail out!\n", false},
		{"a compiler", "src/a.c ... ok\n", false},
		{"a compiler's lines", "src/a.c ... \nok\n", false},
		{"words of prove", "All 3 subtests passed\n", false},
	} {
		if _, got := read(c.stdout, "", wholly, false); got != c.want {
			t.Errorf("%s: %q is recognized: %t, want %t", c.name, c.stdout, got, c.want)
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
