package main

import (
	"os"
	"strings"
	"testing"
)

func TestTheTableReplacesTheOneInTheDocument(t *testing.T) {
	var shown table
	r := shown.add("bats", "1.8", "TAP")
	r.runs = []outcome{{suite: "passing"}, {suite: "odd names", wrong: "no case is named x", note: "odd"}, {suite: "more names", note: "odd"}}
	const older = head + "| tape | 5 | TAP | 16 | 0 |\n| bats | 1.7 | TAP | 1 | 0 |\n\n- tape, plans: noted.\n- bats, plans: gone.\n"
	got, err := replaceBetween("before\n"+begin+older+end+"after\n", shown.over)
	const want = "before\n" + begin + head + `| tape | 5 | TAP | 16 | 0 |
| bats | 1.8 | TAP | 2 | 1 |

- tape, plans: noted.
- bats, odd names, wrong as TAP: no case is named x.
- bats, odd names: odd.
- bats, more names: odd.
` + end + "after\n"
	if err != nil || got != want {
		t.Errorf("%v:\n%s", err, got)
	}
	if _, err := replaceBetween("before\n"+begin+"old\n", shown.over); err == nil {
		t.Error("a document without the second line was taken")
	}
}

func TestWhatToolsSayIsCounted(t *testing.T) {
	const events = `{"name":"child","nesting":1,"file":"a","failed":true,"todo":true}
{"name":"parent","nesting":0,"file":"a"}
{"name":"alone","nesting":0,"file":"a","failed":true}
{"name":"skipped","nesting":0,"file":"b","skipped":true}
`
	for name, test := range map[string]struct {
		truth func(account) (counts, error)
		says  account
		want  counts
	}{
		"node:test, tests in no other":        {nodeTop, account{file: []byte(events)}, counts{1, 1, 1}},
		"node:test, tests with no other":      {nodeLeaves, account{file: []byte(events)}, counts{0, 1, 2}},
		"mocha":                               {mochaStats, account{file: []byte(`{"stats":{"passes":3,"failures":2,"pending":1}}`)}, counts{3, 2, 1}},
		"jest":                                {jestNumbers, account{file: []byte(`{"numPassedTests":3,"numFailedTests":2,"numPendingTests":1,"numTodoTests":4}`)}, counts{3, 2, 5}},
		"vitest, files":                       {jestFiles, account{file: []byte(`{"testResults":[{"status":"passed"},{"status":"failed"}]}`)}, counts{1, 1, 0}},
		"playwright, where flaky ones passed": {playwrightStats, account{file: []byte(`{"stats":{"expected":3,"unexpected":1,"flaky":2,"skipped":4}}`)}, counts{5, 1, 4}},
		"go test -v":                          {goLines, account{file: []byte("--- FAIL: TestA (0.00s)\n    --- PASS: TestA/b (0.00s)\n    --- SKIP: TestA/c (0.00s)\n")}, counts{1, 1, 1}},
		"tape":                                {tapeLines, account{stdout: []byte("# tests 3\n# pass  2\n# fail  1\n")}, counts{2, 1, 0}},
		"counts of our own":                   {written, account{file: []byte("3/2/1\n")}, counts{3, 2, 1}},
	} {
		if got, err := test.truth(test.says); err != nil || got != test.want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, test.want)
		}
	}
	if _, err := written(account{}); err == nil {
		t.Error("a tool that says nothing was counted")
	}
}

func TestNoSuiteIsThereTwiceAndEachHasItsTruth(t *testing.T) {
	for _, tool := range tools() {
		seen := map[string]bool{}
		for _, s := range tool.suites {
			if seen[s.name] {
				t.Errorf("%s has two suites %q", tool.name, s.name)
			}
			seen[s.name] = true
			for _, o := range tool.outputs {
				if o.truth == nil && s.want[o.name] == "" && s.want[""] == "" {
					t.Errorf("%s, %s, %s: nothing says what is right", tool.name, o.name, s.name)
				}
			}
		}
	}
}

func TestThePackagesComeFromWhereverNpmIsTold(t *testing.T) {
	locked, err := os.ReadFile("testdata/js/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(locked), `"resolved"`) {
		t.Error("package-lock.json names a registry: keep omit-lockfile-registry-resolved=true in .npmrc")
	}
}
