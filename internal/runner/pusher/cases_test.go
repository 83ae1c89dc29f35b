//go:build linux

package pusher

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/results/gotest"
	"github.com/testrun-dev/testrun/internal/results/junit"
	"github.com/testrun-dev/testrun/internal/results/tap"
	"github.com/testrun-dev/testrun/internal/runner/pushertest"
)

var yes = func() bool { return true }

// start returns a pusher and its server. finish pushes all, and returns the cases that the server has then.
func start(t *testing.T) (p *Pusher, server *pushertest.Server, finish func(shown results.Format) []push.Case) {
	t.Helper()
	server = pushertest.New(t)
	p, err := New(Options{
		URL: server.URL, Pins: []string{server.Pin}, TokenFile: server.TokenFile,
		Attempt: push.Attempt{Namespace: "default", Name: "smoke", UID: "6f2c0f0e", Number: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, server, func(shown results.Format) []push.Case {
		t.Helper()
		p.Sums(shown)
		if err := p.Finish(); err != nil {
			t.Fatal(err)
		}
		server.ExpectWhole()
		return server.Cases()
	}
}

// counts are the cases that passed, failed, errored, were skipped, and are flaky.
func counts(cases []push.Case) string {
	var passed, failed, errored, skipped, flaky int64
	for _, c := range cases {
		switch c.Outcome {
		case results.Passed:
			passed++
		case results.Failed:
			failed++
		case results.Errored:
			errored++
		case results.Skipped:
			skipped++
		}
		if c.Flaky {
			flaky++
		}
	}
	return fmt.Sprint(passed, failed, errored, skipped, flaky)
}

// What the server has of each known output of a test tool counts as the report does, and says the same of the cases that the report has.
func TestTheCasesThatArePushedAreThoseOfTheReport(t *testing.T) {
	read := map[string]func(t *testing.T, file string, sink results.Sink){
		"../../results/tap/testdata/*.tap": func(t *testing.T, file string, sink results.Sink) {
			t.Helper()
			readStream(t, file, strings.TrimSuffix(file, ".tap")+".stderr", tap.New(sink))
		},
		"../../results/gotest/testdata/*.jsonl": func(t *testing.T, file string, sink results.Sink) {
			t.Helper()
			readStream(t, file, strings.TrimSuffix(file, ".jsonl")+".stderr", gotest.New(sink))
		},
		"../../results/junit/testdata/*.xml": func(t *testing.T, file string, sink results.Sink) {
			t.Helper()
			content, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer content.Close()
			reader := junit.New(sink)
			reader.Read(content, file, true)
			reader.Distrust()
		},
	}
	formats := map[string]results.Format{".tap": results.TAP, ".jsonl": results.GoTest, ".xml": results.JUnit}
	files := 0
	for pattern, read := range read {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			files++
			t.Run(filepath.Base(file), func(t *testing.T) {
				format := formats[filepath.Ext(file)]
				p, server, finish := start(t)
				sum := &results.Summary{}
				read(t, file, p.Sink(Format{Name: format, Recognized: yes}, sum))
				shown := format
				if sum.Total() == 0 {
					shown = ""
				}
				cases := finish(shown)
				if got, want := counts(cases), fmt.Sprint(sum.Passed, sum.Failed, sum.Errored, sum.Skipped, sum.Flaky); got != want {
					t.Errorf("%s cases are pushed, and %s reported", got, want)
				}
				expectCases(t, cases, sum.Cases())
				if missing := server.End().Missing; len(missing) > 0 {
					t.Errorf("%q is missing", missing)
				}
			})
		}
	}
	if files < 100 {
		t.Errorf("%d files were read", files)
	}
}

func readStream(t *testing.T, stdout, stderr string, reader interface {
	io.Writer
	Stderr() io.Writer
	Close()
},
) {
	t.Helper()
	content, err := os.ReadFile(stdout)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Write(content); err != nil {
		t.Fatal(err)
	}
	if said, err := os.ReadFile(stderr); err == nil {
		if _, err := reader.Stderr().Write(said); err != nil {
			t.Fatal(err)
		}
	}
	reader.Close()
}

// expectCases looks for each reported case among those that were pushed.
func expectCases(t *testing.T, pushed []push.Case, reported []results.Case) {
	t.Helper()
	left := map[string]int{}
	for _, c := range pushed {
		left[sayCase(results.Case{
			Name: c.Name, Suite: c.Suite, Outcome: c.Outcome, Duration: time.Duration(c.Microseconds) * time.Microsecond,
			Message: c.Message, Location: c.Location, Flaky: c.Flaky, Nested: c.Nested,
		})]++
	}
	for _, c := range reported {
		said := sayCase(c)
		if left[said] == 0 {
			t.Errorf("%s is reported, and not pushed: %v", said, left)
			return
		}
		left[said]--
	}
}

// sayCase cuts texts as a report does.
func sayCase(c results.Case) string {
	return fmt.Sprintf("%q %q %s %s %q %q %t %t", results.Cut(c.Name, results.MaxName), results.Cut(c.Suite, results.MaxName), c.Outcome,
		c.Duration.Truncate(time.Microsecond), results.Cut(c.Message, results.MaxMessage), results.Cut(c.Location, results.MaxLocation), c.Flaky, c.Nested)
}

// call is what a reader tells a sink.
type call func(s results.Sink)

func add(name string, outcome results.Outcome) call {
	return func(s results.Sink) { s.Add(results.Case{Name: name, Outcome: outcome}) }
}

func retry(id results.ID, failures, passes int32, flaky bool, name string, outcome results.Outcome) call {
	return func(s results.Sink) {
		s.Retry(results.Standing{ID: id, Failures: failures, Passes: passes, Flaky: flaky}, results.Case{Name: name, Outcome: outcome})
	}
}

func TestALaterLineReplacesAnEarlierOne(t *testing.T) {
	const passed, failed, skipped = results.Passed, results.Failed, results.Skipped
	for name, test := range map[string]struct {
		calls []call
		want  string
	}{
		"a case that passes at last": {
			[]call{add("a", failed), add("b", passed), retry(1, 1, 0, false, "a", passed)}, "1 a Passed flaky, 2 b Passed",
		},
		"and then fails again": {
			[]call{add("a", failed), retry(1, 1, 0, false, "a", passed), retry(1, 1, 1, true, "a", failed)}, "1 a Failed",
		},
		"an attempt that changes nothing": {
			[]call{add("a", failed), retry(1, 1, 0, false, "a", failed), retry(1, 2, 0, false, "a", skipped), retry(0, 0, 1, false, "b", passed)}, "1 a Failed",
		},
		"attempts that were none": {
			[]call{add("a", failed), add("b", passed), retry(1, 1, 0, false, "a", failed), retry(1, 2, 0, false, "a", passed), func(s results.Sink) {
				s.Separate(results.Standing{ID: 1, Failures: 2, Passes: 2, Flaky: true})
			}}, "1 a Failed, 2 b Passed, 4294967296 a Failed, 4294967297 a Passed, 4294967298 a Passed",
		},
		"names that end with a time": {
			[]call{add("a in 1ms", passed), add("b in 2ms", failed), func(s results.Sink) { s.Timed(1, 2, 3*time.Millisecond) }, add("c", passed)},
			"1 a Passed 1ms, 2 b Failed 2ms, 3 c Passed",
		},
		"names that end like that by chance": {
			[]call{add("a in 1ms", passed), add("b in 2ms", failed), add("c", passed), add("d in 3ms", passed)},
			"1 a in 1ms Passed, 2 b in 2ms Failed, 3 c Passed, 4 d in 3ms Passed",
		},
		"one before those": {
			[]call{add("a in 1ms", passed), add("b in 2ms", passed), add("c in 3ms", passed), func(s results.Sink) { s.Timed(2, 3, 5*time.Millisecond) }},
			"1 a in 1ms Passed, 2 b Passed 2ms, 3 c Passed 3ms",
		},
		"an explanation that comes late": {
			[]call{add("a", failed), add("b", passed), func(s results.Sink) { s.Explain(1, "why", "a.t:3") }}, "1 a Failed why a.t:3, 2 b Passed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, finish := start(t)
			sink := p.Sink(Format{Name: results.TAP, Recognized: yes}, &results.Summary{})
			for _, call := range test.calls {
				call(sink)
			}
			if got := say(finish(results.TAP)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func say(cases []push.Case) string {
	said := make([]string, len(cases))
	for i, c := range cases {
		words := []string{fmt.Sprint(c.Number), c.Name, string(c.Outcome)}
		if c.Microseconds > 0 {
			words = append(words, (time.Duration(c.Microseconds) * time.Microsecond).String())
		}
		if c.Flaky {
			words = append(words, "flaky")
		}
		said[i] = strings.Join(strings.Fields(strings.Join(append(words, c.Message, c.Location), " ")), " ")
	}
	return strings.Join(said, ", ")
}

func TestTheCasesOfOneFormatAreShown(t *testing.T) {
	for name, test := range map[string]struct {
		// said are formats and names: T is TAP, G go test, J JUnit. A capital R before one says that it is recognized from then on.
		said, shown, want, missing string
	}{
		"one":                               {"RT Ta Tb", "TAP", "1 a Passed, 2 b Passed", ""},
		"files come last":                   {"RT Ta Tb RJ Jc", "JUnit", "1 c Passed", ""},
		"files with more cases":             {"RT Ta RJ Jc Jd", "JUnit", "1 c Passed, 2 d Passed", ""},
		"go test before TAP":                {"RT Ta RG Gb Tc", "GoTest", "1 b Passed", ""},
		"TAP after go test":                 {"RG Gb RT Ta", "GoTest", "1 b Passed", ""},
		"what is no TAP":                    {"Ta", "", "", ""},
		"what is no go test, and then TAP":  {"Gx Gy RT Ta", "TAP", "1 a Passed", ""},
		"what is go test only after a time": {"Gx RT Ta RG Gy", "GoTest", "2 y Passed", "the first 1 cases: the test was taken to speak another format than GoTest"},
	} {
		t.Run(name, func(t *testing.T) {
			p, server, finish := start(t)
			recognized := map[byte]bool{}
			sinks := map[byte]results.Sink{}
			for rank, format := range []results.Format{results.JUnit, results.GoTest, results.TAP} {
				letter := format[0]
				sinks[letter] = p.Sink(Format{Name: format, Rank: rank, Recognized: func() bool { return recognized[letter] }}, &results.Summary{})
			}
			for word := range strings.FieldsSeq(test.said) {
				if word[0] == 'R' {
					recognized[word[1]] = true
				} else {
					sinks[word[0]].Add(results.Case{Name: word[1:], Outcome: results.Passed})
				}
			}
			if got := say(finish(results.Format(test.shown))); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if got := strings.Join(server.End().Missing, ", "); got != test.missing {
				t.Errorf("%q is missing, want %q", got, test.missing)
			}
		})
	}
}
