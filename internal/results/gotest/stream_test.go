package gotest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

func TestReaderOfBrokenStreams(t *testing.T) {
	const passing = `{"Action":"run","Package":"p","Test":"T"}
{"Action":"pass","Package":"p","Test":"T","Elapsed":1.5}
{"Action":"pass","Package":"p","Elapsed":2}
`
	for _, test := range []struct {
		name, out, stderr, want string
	}{
		{"a package that only started breaks off", `{"Action":"start","Package":"p"}`, "", `
			passed 0, failed 0, errored 0, skipped 0, took 0s
			Incomplete: the results of package p break off: nothing says how it ended`},
		{"a test that runs at the end is an error", `
			{"Action":"start","Package":"p"}
			{"Action":"run","Package":"p","Test":"A"}
			{"Action":"output","Package":"p","Test":"A","Output":"=== RUN   A\n"}
			{"Action":"output","Package":"p","Test":"A","Output":"    waiting\n"}
			{"Action":"run","Package":"p","Test":"B"}
			{"Action":"pass","Package":"p","Te`, "", `
			passed 0, failed 0, errored 2, skipped 0, took 0s
			Incomplete: the results of package p break off: A and 1 more did not end
			Errored p.A: did not end: waiting
			Errored p.B: did not end`},
		{"the package that began first is the one that is named", `
			{"Action":"start","Package":"z"}
			{"Action":"start","Package":"a"}
			{"Action":"run","Package":"z","Test":"T"}`, "", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Incomplete: the results of package z break off: T did not end
			Errored z.T: did not end`},
		{"a package whose tests ended, but that has no end itself, breaks off", `
			{"Action":"run","Package":"p","Test":"Benchmark"}
			{"Action":"output","Package":"p","Output":"PASS\n"}`, "", `
			passed 1, failed 0, errored 0, skipped 0, took 0s
			Incomplete: the results of package p break off: nothing says how it ended
			Passed p.Benchmark`},
		{"a report without an event counts when the stream breaks off", `
			{"Action":"run","Package":"p","Test":"T"}
			{"Action":"output","Package":"p","Test":"T","Output":"--- FAIL: T (0.00s)\n"}`, "", `
			passed 0, failed 1, errored 0, skipped 0, took 0s
			Incomplete: the results of package p break off: T did not end
			Failed p.T`},
		{"commands one after another are added up", passing + passing, "", `
			passed 2, failed 0, errored 0, skipped 0, took 3s
			Passed p.T
			Passed p.T`},
		{"a package that fails and starts again repeats its tests", `
			{"Action":"run","Package":"p","Test":"A"}
			{"Action":"pass","Package":"p","Test":"A"}
			{"Action":"run","Package":"p","Test":"B"}
			{"Action":"output","Package":"p","Test":"B","Output":"    b_test.go:3: first\n"}
			{"Action":"fail","Package":"p","Test":"B"}
			{"Action":"run","Package":"p","Test":"C"}
			{"Action":"fail","Package":"p","Test":"C"}
			{"Action":"fail","Package":"p"}
			{"Action":"start","Package":"p"}
			{"Action":"pass","Package":"p","Test":"A"}
			{"Action":"pass","Package":"p","Test":"B"}
			{"Action":"fail","Package":"p","Test":"C"}
			{"Action":"pass","Package":"p","Test":"D"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 3, failed 1, errored 0, skipped 0, took 0s
			Failed p.C
			flaky p.B: b_test.go:3: first
			Passed p.A
			Passed p.D`},
		{"a package that passes and starts again is another run of it", `
			{"Action":"pass","Package":"p","Test":"A"}
			{"Action":"pass","Package":"p"}
			{"Action":"fail","Package":"p","Test":"A"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 1, failed 1, errored 0, skipped 0, took 0s
			Failed p.A
			Passed p.A`},
		{"a package that fails without a test, and then passes, is flaky", `
			{"Action":"output","Package":"p","Output":"panic: no database\n"}
			{"Action":"fail","Package":"p"}
			{"Action":"pass","Package":"p","Test":"A"}
			{"Action":"pass","Package":"p"}`, "", `
			passed 2, failed 0, errored 0, skipped 0, took 0s
			flaky p: panic: no database
			Passed p.A`},
		{"a package that fails twice without a test fails once", `
			{"Action":"fail","Package":"p"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored p: the package failed, but none of its tests did`},
		{"a test that did not end, and then passes, is flaky", `
			{"Action":"run","Package":"p","Test":"A"}
			{"Action":"output","Package":"p","Test":"A","Output":"panic: boom\n"}
			{"Action":"fail","Package":"p"}
			{"Action":"pass","Package":"p","Test":"A"}
			{"Action":"pass","Package":"p"}`, "", `
			passed 1, failed 0, errored 0, skipped 0, took 0s
			flaky p.A: did not end: panic: boom`},
		{"programs without the name of a package are no attempts of each other", `
			{"Action":"start"}
			{"Action":"run","Test":"A"}
			{"Action":"fail","Test":"A"}
			{"Action":"fail"}
			{"Action":"start"}
			{"Action":"run","Test":"A"}
			{"Action":"pass","Test":"A"}
			{"Action":"pass"}`, "", `
			passed 1, failed 1, errored 0, skipped 0, took 0s
			Failed A
			Passed A`},
		{"a program without a name that breaks off", `
			{"Time":"2026-01-01T00:00:00Z","Action":"start"}
			{"Action":"output","Output":"panic: no database\n"}
			{"Action":"fail","Elapsed":0.01}
			{"Action":"run","Test":"A"}`, "", `
			passed 0, failed 0, errored 2, skipped 0, took 0s
			Incomplete: the results break off: A did not end
			Errored (package not named): panic: no database
			Errored A: did not end`},
		{"packages that run at the same time are told apart", `
			{"Action":"run","Package":"p","Test":"T"}
			{"Action":"run","Package":"q","Test":"T"}
			{"Action":"output","Package":"q","Test":"T","Output":"broken in q\n"}
			{"Action":"output","Package":"p","Test":"T","Output":"broken in p\n"}
			{"Action":"fail","Package":"p","Test":"T"}
			{"Action":"fail","Package":"q","Test":"T"}
			{"Action":"fail","Package":"p"}
			{"Action":"fail","Package":"q"}`, "", `
			passed 0, failed 2, errored 0, skipped 0, took 0s
			Failed p.T: broken in p
			Failed q.T: broken in q`},
		{"a test that begins again before it ended is counted twice", `
			{"Action":"run","Package":"p","Test":"T"}
			{"Action":"run","Package":"p","Test":"T"}
			{"Action":"pass","Package":"p","Test":"T"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 1, failed 0, errored 1, skipped 0, took 0s
			Errored p.(name not kept): did not end
			Passed p.T`},
		{"an end without a beginning is counted", `
			{"Action":"output","Package":"p","Test":"Other","Output":"said by another\n"}
			{"Action":"fail","Package":"p","Test":"T"}
			{"Action":"output","Package":"p","Test":"T","Output":"broken\n"}
			{"Action":"fail","Package":"p","Test":"T"}
			{"Action":"fail","Package":"p","Test":"T"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 0, failed 3, errored 0, skipped 0, took 0s
			Failed p.T
			Failed p.T: broken
			Failed p.T`},
		{"a report among the output of another test is one, but not a look-alike", `
			{"Action":"run","Package":"p","Test":"T"}
			{"Action":"run","Package":"p","Test":"T/sub"}
			{"Action":"output","Package":"p","Test":"T/sub","Output":"want --- FAIL: Other (0.00s)\n"}
			{"Action":"output","Package":"p","Test":"T/sub","Output":"=== ATTR  T/sub owner shop\n"}
			{"Action":"output","Package":"p","Test":"T/sub","Output":"words--- FAIL: T (0.00s)\n"}
			{"Action":"output","Package":"p","Test":"T/sub","Output":"    --- FAIL: T/sub (0.00s)\n"}
			{"Action":"output","Package":"p","Output":"FAIL\n"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 0, failed 2, errored 0, skipped 0, took 0s
			Failed p.T
			Failed p.T/sub: want --- FAIL: Other (0.00s) | words`},
		{"a duration below none is none, and one without end has an end", `
			{"Action":"pass","Package":"p","Test":"T","Elapsed":-5}
			{"Action":"pass","Package":"p","Test":"U","Elapsed":1e300}
			{"Action":"pass","Package":"p"}`, "", `
			passed 2, failed 0, errored 0, skipped 0, took 9999h0m0s
			Passed p.T
			Passed p.U`},
		{"a package fails for what it prints, not for its frame", `
			{"Action":"output","Package":"p","Output":"testing: cannot write profile\n"}
			{"Action":"output","Package":"p","Output":"PASS\n"}
			{"Action":"output","Package":"p","Output":"coverage: 80% of statements\n"}
			{"Action":"output","Package":"p","Output":"exit status 2\n"}
			{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored p: testing: cannot write profile | exit status 2`},
		{"a package that fails in silence is an error", `{"Action":"fail","Package":"p"}`, "", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored p: the package failed, but none of its tests did`},
		{"a timeout outside the tests is an error of the package", `
			{"Action":"output","Package":"p","Output":"starting\n"}
			{"Action":"output","Package":"p","Output":"panic: test timed out after 1s\n"}
			{"Action":"output","Package":"p","Output":"goroutine 1 [running]:\n"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored p: panic: test timed out after 1s | starting`},
		{"a runtime error that cannot be recovered is a crash", `
			{"Action":"run","Package":"p","Test":"T"}
			{"Action":"output","Package":"p","Test":"T","Output":"writing\n"}
			{"Action":"output","Package":"p","Test":"T","Output":"fatal error: concurrent map writes\n"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored p.T: did not end: fatal error: concurrent map writes`},

		{"text is not looked at", "make test\n\n{\"level\":\"info\"}\n{\"Action\":\"pass\"}\nok  \tp\t0.1s\n--- FAIL: T\n" + passing + "done", "", `
			passed 1, failed 0, errored 0, skipped 0, took 1.5s
			Passed p.T`},
		{"a build that failed is explained by the text below its heading", "# p\np.go:1: broken\n" + passing + "other\n" + `
			{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
			{"Action":"fail","Package":"p"}`, "", `
			passed 1, failed 0, errored 1, skipped 0, took 1.5s
			Errored p: build failed: p.go:1: broken
			Passed p.T`},
		{"a build is explained by the one that nothing else explains", passing + `
			{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
			{"Action":"fail","Package":"p"}
			{"Action":"output","Package":"q","Output":"FAIL\tq [build failed]\n"}
			{"Action":"fail","Package":"q"}
			{"Action":"output","Package":"r","Output":"FAIL\tr [build failed]\n"}
			{"Action":"fail","Package":"r"}
`, "# q [q.test]\nq.go:1: broken\n# r_test [r.test]\nr_test.go:1: broken\n# dep\ndep.go:1: broken", `
			passed 1, failed 0, errored 3, skipped 0, took 1.5s
			Errored p: build failed: dep.go:1: broken
			Errored q: build failed: q.go:1: broken
			Errored r: build failed: r_test.go:1: broken
			Passed p.T`},
		{"a build that nothing explains has failed all the same", `
			{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`, "", `
			passed 0, failed 0, errored 1, skipped 0, took 0s
			Errored p: build failed`},
		{"of a long build the first errors are kept", passing + "# p\np.go:1: first\n" + strings.Repeat("p.go:2: other\n", 100) + "p.go:3: last\n" + `
			{"Action":"fail","Package":"p","FailedBuild":"p"}`, "", `
			passed 1, failed 0, errored 1, skipped 0, took 1.5s
			Errored p: build failed: p.go:1: first` + strings.Repeat(" | p.go:2: other", 66) + ` | p.…
			Passed p.T`},
		{"failed builds alone, which have no events before Go 1.20", "# q\nbroken\nFAIL\tq [build failed]\nFAIL\tp [build failed]\n", "# p\nbroken\n", `
			passed 0, failed 0, errored 2, skipped 0, took 0s
			Errored q: build failed: broken
			Errored p: build failed: broken`},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := strings.ReplaceAll(strings.TrimSpace(test.want), "\t\t\t", "")
			for _, size := range []int{1, 13, len(test.out) + 1} {
				if got := describe(read(test.out, test.stderr, size)); got != want {
					t.Errorf("in pieces of %d bytes got\n%s\nwant\n%s", size, got, want)
				}
			}
		})
	}
}

func TestRecognized(t *testing.T) {
	for _, test := range []struct {
		name, line string
		want       bool
	}{
		{"an event of a test", `{"Action":"run","Package":"p","Test":"T"}`, true},
		{"an event of a package, with more than is known", `{"Time":"2026-01-02T03:04:05Z","Action":"start","Package":"p","Later":[1]}`, true},
		{"an event of a build", `{"ImportPath":"p","Action":"build-output","Output":"# p\n"}`, true},
		{"an attribute", `{"Action":"attr","Package":"p","Test":"T","Key":"k","Value":"v"}`, true},
		{"an event with CR LF", "{\"Action\":\"start\",\"Package\":\"p\"}\r\n", true},
		{"a test of no package", `{"Time":"2026-01-02T03:04:05Z","Action":"run","Test":"T"}`, true},
		{"no event of neither a package nor a test", `{"Action":"fail","Elapsed":1}`, false},
		{"a start alone, of whatever", `{"Action":"start"}`, false},
		{"no event of no package with what test2json does not print", `{"Action":"run","Test":"T","level":"info"}`, false},
		{"no event of no package with another name", `{"action":"run","test":"T"}`, false},
		{"no event of a container", `{"Type":"container","Action":"start","Actor":{"ID":"1"}}`, false},
		{"no event of a build without its path", `{"Action":"build-fail","Package":"p"}`, false},
		{"no event of an unknown action", `{"Action":"create","Package":"p"}`, false},
		{"no event, but a log's line that looks like one", `{"level":"info","action":"start","package":"p"}`, false},
		{"no event of another type", `{"Action":"run","Package":"p","Elapsed":"1s"}`, false},
		{"no event in a list", `[{"Action":"run","Package":"p"}]`, false},
		{"no event with text before it", `x{"Action":"run","Package":"p"}`, false},
		{"no event with text after it", `{"Action":"run","Package":"p"}x`, false},
		{"no event cut off", `{"Action":"run","Package":"p"`, false},
		{"no event on a line that is too long", `{"Action":"run","Package":"p","Output":"` + strings.Repeat("x", results.MaxLine) + `"}`, false},
		{"text", "ok  \tp\t0.1s", false},
		{"nothing", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			reader := New(&results.Summary{})
			_, _ = reader.Write([]byte(test.line))
			reader.Close()
			if reader.Recognized() != test.want {
				t.Errorf("got %t, want %t", reader.Recognized(), test.want)
			}
		})
	}
}

func TestCasesTellSuiteDurationAndNesting(t *testing.T) {
	summary := read(lines(
		event{Action: "pass", Package: "example.com/shop/cart", Test: "TestA/sub", Elapsed: 0.25},
		event{Action: "pass", Package: "example.com/shop/cart", Test: "TestA", Elapsed: 0.5},
		event{Action: "pass", Package: "example.com/shop/cart", Test: "TestB", Elapsed: -1},
		event{Action: "pass", Package: "example.com/shop/cart", Elapsed: 1},
	), "", 100)
	want := []results.Case{
		{Suite: "example.com/shop/cart", Name: "TestA/sub", Outcome: results.Passed, Duration: 250 * time.Millisecond, Nested: true},
		{Suite: "example.com/shop/cart", Name: "TestA", Outcome: results.Passed, Duration: 500 * time.Millisecond},
		{Suite: "example.com/shop/cart", Name: "TestB", Outcome: results.Passed},
	}
	if got := summary.Cases(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if summary.Duration != 500*time.Millisecond {
		t.Errorf("took %s", summary.Duration)
	}
}

// recorder keeps every case with its details.
type recorder struct {
	results.Summary
	cases []results.Case
}

func (r *recorder) Add(c results.Case) (results.ID, bool) {
	r.cases = append(r.cases, c)
	return r.Summary.Add(c)
}

func (r *recorder) Takes() results.Extent { return results.WithDetails }

func TestDetailsAreReadForWhoAsksForThem(t *testing.T) {
	events := lines(
		event{Action: "run", Package: "p", Test: "A"},
		event{Action: "output", Package: "p", Test: "A", Output: "=== RUN   A\n"},
		event{Action: "attr", Package: "p", Test: "A", Key: "owner", Value: "till"},
		event{Action: "output", Package: "p", Test: "A", Output: "it opens\n"},
		event{Action: "artifacts", Package: "p", Test: "A", Path: "/tmp/p/A"},
		event{Action: "pass", Package: "p", Test: "A"},
		event{Action: "pass", Package: "p"},
	)
	var sink recorder
	reader := New(&sink)
	_, _ = reader.Write([]byte(events))
	reader.Close()
	want := &results.Details{
		Output: "it opens\n", Properties: []results.Property{{Name: "owner", Value: "till"}}, Attachments: []string{"/tmp/p/A"},
	}
	if got := sink.cases; len(got) != 1 || !reflect.DeepEqual(got[0].Details, want) {
		t.Errorf("it has %+v", got)
	}
	if c := read(events, "", 100).Cases()[0]; c.Details != nil {
		t.Error("nobody asked for details")
	}
}

func TestAFailureTellsWhereItIs(t *testing.T) {
	summary := read(lines(
		event{Action: "run", Package: "p", Test: "A"},
		event{Action: "output", Package: "p", Test: "A", Output: "=== RUN   A\n"},
		event{Action: "output", Package: "p", Test: "A", Output: "    till_test.go:9: stuck\n"},
		event{Action: "output", Package: "p", Test: "A", Output: "    till_test.go:12: still stuck\n"},
		event{Action: "fail", Package: "p", Test: "A"},
		event{Action: "run", Package: "p", Test: "B"},
		event{Action: "output", Package: "p", Test: "B", Output: "no place\n"},
		event{Action: "fail", Package: "p", Test: "B"},
		event{Action: "fail", Package: "p"},
	), "", 100)
	cases := summary.Cases()
	if cases[0].Location != "till_test.go:9" || cases[1].Location != "" {
		t.Errorf("they are at %q and %q", cases[0].Location, cases[1].Location)
	}
}

// More than is kept of each kind: the counts stay right.
func TestBounds(t *testing.T) {
	const many = 3 * maxTests
	each := func(action, pkg, test string) string {
		var out strings.Builder
		for i := range many {
			e := event{Action: action, Package: "p", Test: "T"}
			if pkg != "" {
				e.Package = fmt.Sprint(pkg, i)
			}
			if test != "" {
				e.Test = fmt.Sprint(test, i)
			}
			if test == "-" {
				e.Test = ""
			}
			out.WriteString(lines(e))
		}
		return out.String()
	}
	end := func(action string) string { return lines(event{Action: action, Package: "p"}) }
	long := strings.Repeat("long", maxKey)
	finished := lines(event{Action: "output", Package: "p", Output: "FAIL\n"})
	for _, test := range []struct {
		name, out, want string
	}{
		{"tests that end", each("run", "", "T") + each("pass", "", "T") + end("pass"), "passed 3072, failed 0, errored 0, skipped 0, took 0s"},
		{"tests that do not end", each("run", "", "T") + end("fail"), "passed 0, failed 0, errored 3072, skipped 0, took 0s"},
		{"tests that do not end before the stream does", each("run", "", "T"), "passed 0, failed 0, errored 3072, skipped 0, took 0s\n" +
			"Incomplete: the results of package p break off: T0 and 3071 more did not end"},
		{"benchmarks without an end", each("run", "", "B") + finished + end("pass"), "passed 3072, failed 0, errored 0, skipped 0, took 0s"},
		{
			"tests after many that did not end", each("run", "", "T") + end("fail") + each("run", "", "T") + each("skip", "", "T") + end("pass"),
			"passed 0, failed 0, errored 3072, skipped 2048, took 0s", // of those whose names are known, a skip is no further case
		},
		{
			"the name of a test after many that ended", each("run", "", "T") + each("pass", "", "T") + lines(event{Action: "run", Package: "p", Test: "Late"}) + end("fail"),
			"passed 3072, failed 0, errored 1, skipped 0, took 0s\nErrored p.Late: did not end",
		},
		{
			"the name of a test after many that did not end",
			each("run", "", "T") + finished + end("pass") + lines(event{Action: "run", Package: "p", Test: "Late"}) + end("fail"),
			"passed 3072, failed 0, errored 1, skipped 0, took 0s\nErrored p.Late: did not end",
		},
		{
			"packages at once", each("start", "p", "-") + each("run", "p", "") + each("fail", "p", "") + each("fail", "p", "-"),
			"passed 0, failed 3072, errored 0, skipped 0, took 0s",
		},
		{"packages that break off", each("start", "p", "-"), "passed 0, failed 0, errored 0, skipped 0, took 0s\n" +
			"Incomplete: the results of package p0 break off: nothing says how it ended"},
		{"packages one after another", each("fail", "p", "-"), "passed 0, failed 0, errored 3072, skipped 0, took 0s"},
		{
			"packages of which the late ones break off", each("start", "p", "-") + strings.Join(strings.SplitAfter(each("pass", "p", "-"), "\n")[:maxPackages], "") +
				lines(event{Action: "run", Package: "p3000", Test: "T"}),
			"passed 0, failed 0, errored 1, skipped 0, took 0s\nIncomplete: the results of 2816 packages break off",
		},
		{
			"builds that nothing explains", strings.ReplaceAll(each("fail", "p", "-"), `"FailedBuild":""`, `"FailedBuild":"q"`),
			"passed 0, failed 0, errored 3072, skipped 0, took 0s",
		},
		{
			"long names that begin alike", lines(event{Action: "run", Package: long, Test: long + "1"}, event{Action: "run", Package: long, Test: long + "2"},
				event{Action: "pass", Package: long, Test: long + "2"}, event{Action: "fail", Package: long, Test: long + "1"}, event{Action: "fail", Package: long}),
			"passed 1, failed 1, errored 0, skipped 0, took 0s",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := describe(read(test.out, "", 64<<10))
			if !strings.HasPrefix(got+"\n", test.want+"\n") || strings.Contains(test.want, "Incomplete") != strings.Contains(got, "Incomplete") {
				t.Errorf("got\n%.500s\nwant\n%s", got, test.want)
			}
		})
	}
}

func lines(events ...event) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	for _, e := range events {
		_ = encoder.Encode(e) // neither the type nor the writer can fail
	}
	return out.String()
}
