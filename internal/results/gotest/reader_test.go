package gotest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

// The fixtures without a version in their name are what go 1.26 printed.
func TestReader(t *testing.T) {
	for _, test := range []struct {
		name, fixture, want string
	}{
		{"tests, subtests, examples and fuzz tests are cases", "tests", `
			passed 6, failed 6, errored 0, skipped 3, took 10ms
			Failed cart.TestFails: printed |     a_test.go:12: a log line |     a_test.go:13: got 1, want 2 |     a_test.go:14: several |         lines |             indented
			Failed cart.TestTable/one_item: a_test.go:20: one item is not enough
			Failed cart.TestTable
			Failed cart.FuzzIt/seed#1: a_test.go:37: b is bad
			Failed cart.FuzzIt
			Failed cart.Example_bad: got: | hello | want: | goodbye
			Skipped cart.TestSkips: a_test.go:16: needs a network
			Skipped cart.TestSkipsNow
			Skipped cart.TestTable/two/deeper: a_test.go:21: not today
			Passed cart.TestAdds
			Passed cart.TestTable/two
			Passed cart.TestTable/empty
			Passed cart.TestAttr
			Passed cart.FuzzIt/seed#0
			Passed cart.Example_good`},
		{"a test that runs twice is counted twice", "skips", `
			passed 2, failed 0, errored 0, skipped 4, took 0s
			Skipped skips.TestA: a_test.go:5: first | a_test.go:5: then skipped
			Skipped skips.TestB/sub: a_test.go:6: below
			Skipped skips.TestA: a_test.go:5: first | a_test.go:5: then skipped
			Skipped skips.TestB/sub: a_test.go:6: below
			Passed skips.TestB
			Passed skips.TestB`},
		{"what -count=2 prints is no second attempt", "count-twice", `
			passed 8, failed 4, errored 0, skipped 0, took 0s
			Failed till.TestOpens: till_test.go:16: opens.state is stuck
			Failed till.TestParts/drawer: till_test.go:19: drawer.state is stuck
			Failed till.TestParts/printer: till_test.go:20: printer.state is stuck
			Failed till.TestParts
			Passed till.TestCounts
			Passed till.TestParts/display
			Passed till.TestOpens
			Passed till.TestCounts
			Passed till.TestParts/drawer
			Passed till.TestParts/printer
			Passed till.TestParts/display
			Passed till.TestParts`},
		{"a test that passes when its package starts again is flaky", "rerun-passed", `
			passed 1, failed 0, errored 0, skipped 0, took 0s
			flaky till.TestOpens: till_test.go:9: stuck`},
		{"gotestsum repeats each test that failed alone, with its parents", "gotestsum-rerun", `
			passed 6, failed 0, errored 0, skipped 0, took 0s
			flaky till.TestOpens: till_test.go:16: opens.state is stuck
			flaky till.TestParts/drawer: till_test.go:19: drawer.state is stuck
			flaky till.TestParts
			flaky till.TestParts/printer: till_test.go:20: printer.state is stuck
			Passed till.TestCounts
			Passed till.TestParts/display`},
		{"gotestsum says again in text what the events told", "gotestsum-build-failed", `
			passed 0, failed 0, errored 2, skipped 0, took 0s
			Errored ./nowhere: setup failed: stat /src/nowhere: directory not found
			Errored example.org/shop/cannotbuild: build failed: cannotbuild/cannotbuild_test.go:5:34: declared and not used: price | cannotbuild/cannotbuild_test.go:5:46: cannot use "one" (untyped string constant) as int value in variable declaration`},
		{"test2json may not know the package", "test2json-no-package", `
			passed 0, failed 1, errored 0, skipped 0, took 0s
			Failed TestTill: till_test.go:9: stuck`},
		{"test2json before its first test says only that it starts", "no-package", `
			passed 2, failed 4, errored 0, skipped 0, took 0s
			Failed TestOpens: till_test.go:16: opens.state is stuck
			Failed TestParts/drawer: till_test.go:19: drawer.state is stuck
			Failed TestParts/printer: till_test.go:20: printer.state is stuck
			Failed TestParts
			Passed TestCounts
			Passed TestParts/display`},
		{"benchmarks pass without an end event", "benchmarks", `
			passed 3, failed 3, errored 0, skipped 1, took 0s
			Failed bench.BenchmarkFails: a_test.go:14: too slow
			Failed bench.BenchmarkSub/b: a_test.go:21: b failed
			Failed bench.BenchmarkSub
			Skipped bench.BenchmarkSkips: a_test.go:15: no disk
			Passed bench.BenchmarkPlain
			Passed bench.BenchmarkLogs
			Passed bench.BenchmarkSub/a`},
		{"benchmarks that run several times begin once", "benchmarks-twice", `
			passed 3, failed 0, errored 0, skipped 0, took 0s
			Passed bench.BenchmarkPlain
			Passed bench.BenchmarkSub
			Passed bench.BenchmarkSub/a`},
		{"a package without tests is no case", "no-tests", `
			passed 0, failed 0, errored 0, skipped 0, took 0s`},
		{"with -failfast the rest is not there", "failfast", `
			passed 0, failed 2, errored 0, skipped 0, took 0s
			Failed failfast.TestOne/x: a_test.go:6: first
			Failed failfast.TestOne`},
		{"what looks like an event or a report in a test's output is none", "printing", `
			passed 3, failed 4, errored 0, skipped 0, took 0s
			Failed printer.TestStderr: red � <&>
			Failed printer.TestIndent/deep/deeper: a_test.go:20: left |         right
			Failed printer.TestIndent/deep
			Failed printer.TestIndent
			Passed printer.TestJSON
			Passed printer.TestNoNewline
			Passed printer.TestLookAlike`},
		{"a data race fails the test", "race", `
			passed 0, failed 1, errored 0, skipped 0, took 0s
			Failed race.TestRace: ================== | WARNING: DATA RACE | Read at 0x0 by goroutine 9: |   example.com/shop/race.TestRace.func1() |       shop/race/a_test.go:8 +0x0 …`},

		{"a panic fails its test", "panic-in-test", `
			passed 1, failed 1, errored 0, skipped 0, took 0s
			Failed pan.TestPanics: panic: runtime error: index out of range [3] with length 0 [recovered, repanicked] …
			Passed pan.TestFine`},
		{"a panic of a subtest is told by its parent", "panic-in-subtest", `
			passed 1, failed 2, errored 0, skipped 0, took 0s
			Failed pansub.TestOuter/panics
			Failed pansub.TestOuter: panic: sub went wrong [recovered, repanicked] …
			Passed pansub.TestOuter/fine`},
		{"a panic after the test failed is its message", "panic-in-cleanup", `
			passed 0, failed 1, errored 0, skipped 0, took 0s
			Failed deep.TestCleanup: panic: in cleanup [recovered, repanicked] …`},
		{"a panic in a goroutine ends the test that runs", "panic-in-goroutine", `
			passed 1, failed 0, errored 1, skipped 0, took 0s
			Errored pango.TestGoroutine: did not end: panic: in a goroutine …
			Passed pango.TestFine`},
		{"a panic ends the tests that run in parallel", "panic-in-parallel", `
			passed 0, failed 1, errored 2, skipped 0, took 100ms
			Failed panpar.TestB: panic: b went wrong [recovered, repanicked] …
			Errored panpar.TestA: did not end: panic: b went wrong [recovered, repanicked]
			Errored panpar.TestC: did not end: panic: b went wrong [recovered, repanicked]`},
		{"a panic in TestMain is an error of the package", "panic-in-main", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored example.com/shop/panmain: panic: no database …`},
		{"a panic in init is an error of the package", "panic-in-init", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored example.com/shop/paninit: panic: bad default …`},
		{"a panic before Go 1.20 fails its test", "go1.18-panic", `
			passed 0, failed 1, errored 0, skipped 0, took 0s
			Failed pan.TestPanics: panic: went wrong [recovered] | 	panic: went wrong …`},

		{"a call of os.Exit(0) in a test fails it", "exit-zero-in-test", `
			passed 1, failed 1, errored 0, skipped 0, took 0s
			Failed exit0.TestExits: panic: unexpected call to os.Exit(0) during test [recovered, repanicked] …
			Passed exit0.TestFine`},
		{"a call of os.Exit(0) in a test before Go 1.16 passes the package, but not the test", "go1.15-exit-zero", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored exit0.TestExits: did not end: leaving`},
		{"an exit before the tests is an error of the package", "exit-before-tests", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored example.com/shop/exit1main: cannot reach the database`},
		{"an exit after tests that passed is an error of the package", "exit-after-tests", `
			passed 1, failed 0, errored 1, skipped 0, took 0s
			Errored example.com/shop/exit0main: leaked 3 goroutines
			Passed exit0main.TestFine`},
		{"log.Fatal ends the test that runs", "log-fatal", `
			passed 1, failed 0, errored 1, skipped 0, took 0s
			Errored fatal.TestFatal: did not end: no configuration
			Passed fatal.TestFine`},
		{"log.Fatal ends the tests that wait for their turn", "log-fatal-in-parallel", `
			passed 0, failed 0, errored 2, skipped 0, took 0s
			Errored fatalf.TestFatal: did not end: no configuration
			Errored fatalf.TestAfter: did not end`},
		{"a timeout ends the test that runs, and its parent", "timeout", `
			passed 1, failed 0, errored 2, skipped 0, took 0s
			Errored timeout.TestHangs: did not end: panic: test timed out after 1s
			Errored timeout.TestHangs/sub: did not end: panic: test timed out after 1s | a_test.go:10: waiting
			Passed timeout.TestFine`},
		{"a timeout ends the tests that run in parallel", "timeout-in-parallel", `
			passed 1, failed 0, errored 2, skipped 0, took 0s
			Errored timeoutpar.TestA: did not end: panic: test timed out after 1s
			Errored timeoutpar.TestB: did not end: panic: test timed out after 1s
			Passed timeoutpar.TestC`},

		{"a package that cannot be built, set up or vetted is an error", "build-failed", buildFailures},
		{"a build that failed before Go 1.24 is explained on stderr", "build-failed-as-text", buildFailures},
		{"a build that failed before Go 1.20 has no event", "go1.12-build-failed", `
			passed 0, failed 0, errored 2, skipped 0, took 0s
			Errored example.com/shop/build: build failed: build/a.go:3:16: cannot use "three" (type string) as type int in return argument
			Errored example.com/shop/setup: setup failed: setup/a_test.go:4:2: cannot find package "example.com/shop/nowhere" in any of: | 	src/example.com/shop/nowhere (from $GOROOT)`},

		{"before Go 1.14 the output follows the report, and benchmarks do not begin", "go1.12", `
			passed 1, failed 3, errored 0, skipped 0, took 20ms
			Failed cart.TestTable/one: a_test.go:8: got 1, want 2 |     and more
			Failed cart.TestTable
			Failed cart.BenchmarkFails-2: a_test.go:14: too slow
			Passed cart.BenchmarkLogs-2`},
		{"before Go 1.20 a test that prints no line feed has no end event", "go1.18-no-newline", `
			passed 2, failed 1, errored 0, skipped 1, took 0s
			Failed printer.TestFails: a_test.go:9: first | --- not a report
			Skipped printer.TestSkips: a_test.go:12: no disk | words
			Passed printer.TestPasses
			Passed printer.TestPasses/sub`},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, stderr := fixture(t, test.fixture)
			got := read(out, stderr, len(out))
			if want := strings.ReplaceAll(strings.TrimSpace(test.want), "\t\t\t", ""); describe(got) != want {
				t.Errorf("got\n%s\nwant\n%s", describe(got), want)
			}
			for _, size := range []int{1, 2, 7, 100, 4096} {
				if again := read(out, stderr, size); !reflect.DeepEqual(again, got) {
					t.Errorf("in pieces of %d bytes got\n%s", size, describe(again))
				}
			}
		})
	}
}

const buildFailures = `
			passed 0, failed 0, errored 6, skipped 0, took 0s
			Errored example.com/shop/setup: setup failed: setup/a_test.go:4:2: no required module provides package example.com/shop/nowhere; to add it: | 	go get example.com/shop/nowhere
			Errored example.com/shop/syntax: setup failed: syntax/a_test.go:2:6: expected 'IDENT', found '{'
			Errored example.com/shop/build: build failed: build/a.go:3:23: cannot use "three" (untyped string constant) as int value in return statement
			Errored example.com/shop/buildtest: build failed: buildtest/a_test.go:5:28: undefined: undefinedHere
			Errored example.com/shop/usesdep: build failed: dep/a.go:3:13: cannot use "x" (untyped string constant) as int value in variable declaration
			Errored example.com/shop/vet: build failed: vet/a_test.go:8:40: fmt.Printf format %d has arg "three" of wrong type string`

// fixture returns what the go command printed on stdout, and on stderr if that is kept too.
func fixture(tb testing.TB, name string) (stdout, stderr string) {
	tb.Helper()
	out, err := os.ReadFile(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		tb.Fatal(err)
	}
	errOut, err := os.ReadFile(filepath.Join("testdata", name+".stderr"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	return string(out), string(errOut)
}

// read gives the reader both streams in pieces of a size, stderr last.
func read(stdout, stderr string, size int) *results.Summary {
	summary := &results.Summary{}
	reader := New(summary)
	for ; stdout != ""; stdout = stdout[min(size, len(stdout)):] {
		_, _ = reader.Write([]byte(stdout[:min(size, len(stdout))]))
	}
	for ; stderr != ""; stderr = stderr[min(size, len(stderr)):] {
		_, _ = reader.Stderr().Write([]byte(stderr[:min(size, len(stderr))]))
	}
	reader.Close()
	reader.Close() // changes nothing
	return summary
}

// describe puts a summary into one line, and each case into another, with the first paragraph of its message.
func describe(s *results.Summary) string {
	lines := []string{fmt.Sprintf("passed %d, failed %d, errored %d, skipped %d, took %s", s.Passed, s.Failed, s.Errored, s.Skipped, s.Duration)}
	if s.Defect != "" {
		lines = append(lines, fmt.Sprintf("%s: %s", s.Defect, s.DefectMessage))
	}
	for _, c := range s.Cases() {
		name := c.Name
		if c.Suite != "" {
			name = path.Base(c.Suite) + "." + name
		}
		message, _, more := strings.Cut(c.Message, "\n\n")
		if more {
			message += " …"
		}
		if message != "" {
			message = ": " + strings.ReplaceAll(message, "\n", " | ")
		}
		outcome := string(c.Outcome)
		if c.Flaky {
			outcome = "flaky"
		}
		lines = append(lines, fmt.Sprintf("%s %s%s", outcome, name, message))
	}
	return strings.Join(lines, "\n")
}
