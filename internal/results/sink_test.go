package results_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/results/gotest"
	"github.com/testrun-dev/testrun/internal/results/junit"
	"github.com/testrun-dev/testrun/internal/results/tap"
)

// many is more than a Summary keeps, or a reader.
const many = 4 * results.MaxCases

// expectEach holds the recorded cases against what each should be.
func expectEach(t *testing.T, all *results.Recorder, want func(i int) results.Case) {
	t.Helper()
	if len(all.Cases) != many {
		t.Fatalf("%d cases arrived, want %d", len(all.Cases), many)
	}
	for i, attempts := range all.Cases {
		got, want := attempts[0], want(i)
		got.Details = nil
		if got.Message = strings.Join(strings.Fields(got.Message), " "); got != want {
			t.Errorf("case %d is %+v, want %+v", i, got, want)
		}
	}
}

func TestEveryCaseOfTAPArrivesAndIsExplained(t *testing.T) {
	all := &results.Recorder{}
	r := tap.New(all)
	_, _ = fmt.Fprintf(r, "1..%d\n", many)
	for i := range many {
		_, _ = fmt.Fprintf(r, "not ok %d - case %d\n", i+1, i)
		// What explains a case comes behind the next cases, as far as the two streams are apart.
		if i%10 == 9 {
			for j := i - 9; j <= i; j++ {
				_, _ = fmt.Fprintf(r.Stderr(), "#   Failed test 'case %d'\n#   at t/a.t line %d.\n#     it broke\n", j, j+1)
			}
		}
	}
	r.Close()
	expectEach(t, all, func(i int) results.Case {
		message := fmt.Sprintf("at t/a.t line %d. it broke", i+1)
		return results.Case{Name: fmt.Sprint("case ", i), Outcome: results.Failed, Message: message, Location: fmt.Sprint("t/a.t:", i+1)}
	})
}

func TestTheTimeInTheNameOfEveryCaseIsCutOff(t *testing.T) {
	all, sum := &results.Recorder{}, &results.Summary{}
	for _, sink := range []results.Sink{all, sum} {
		r := tap.New(sink)
		_, _ = fmt.Fprintf(r, "1..%d\n", many)
		for i := range many {
			_, _ = fmt.Fprintf(r, "ok %d case %d in %dms\n", i+1, i, i)
		}
		r.Close()
	}
	expectEach(t, all, func(i int) results.Case {
		return results.Case{Name: fmt.Sprint("case ", i), Outcome: results.Passed, Duration: time.Duration(i) * time.Millisecond}
	})
	if last := sum.Cases()[results.MaxCases-1]; last.Name != "case 49" || last.Duration != 49*time.Millisecond || sum.Duration != many*(many-1)/2*time.Millisecond {
		t.Errorf("the summary ends with %+v, and took %s", last, sum.Duration)
	}
}

func TestEveryCaseOfJUnitArrivesWithItsAttempts(t *testing.T) {
	var xml strings.Builder
	xml.WriteString("<testsuite name='s'>")
	for i := range many {
		fmt.Fprintf(&xml, "<testcase name='%d'><failure message='a_test.py:%d: it broke'/><system-out>out</system-out></testcase>", i, i+1)
	}
	for i := range many {
		fmt.Fprintf(&xml, "<testcase name='%d'/>", i)
	}
	xml.WriteString("</testsuite>")
	all := &results.Recorder{}
	junit.Read(strings.NewReader(xml.String()), "a.xml", all)
	expectEach(t, all, func(i int) results.Case {
		message := fmt.Sprintf("a_test.py:%d: it broke", i+1)
		return results.Case{Name: fmt.Sprint(i), Suite: "s", Outcome: results.Failed, Message: message, Location: fmt.Sprint("a_test.py:", i+1)}
	})
	if got := all.Count(); got != [...]int64{many, 0, 0, many} || all.Cases[many-1][0].Details.Output != "out" {
		t.Errorf("%v are counted, the last is %+v", got, all.Cases[many-1])
	}
}

func TestEveryCaseOfGoTestArrivesWithItsAttempts(t *testing.T) {
	all := &results.Recorder{}
	r := gotest.New(all)
	for _, end := range []string{"fail", "pass"} {
		for i := range many {
			_, _ = fmt.Fprintf(r, `{"Action":"run","Package":"p","Test":"T%d"}`+"\n", i)
			_, _ = fmt.Fprintf(r, `{"Action":"output","Package":"p","Test":"T%d","Output":"    a_test.go:%d: it broke\n"}`+"\n", i, i+1)
			_, _ = fmt.Fprintf(r, `{"Action":%q,"Package":"p","Test":"T%d","Elapsed":1}`+"\n", end, i)
		}
		_, _ = fmt.Fprintf(r, `{"Action":%q,"Package":"p"}`+"\n", end)
	}
	r.Close()
	expectEach(t, all, func(i int) results.Case {
		message := fmt.Sprintf("a_test.go:%d: it broke", i+1)
		return results.Case{Name: fmt.Sprint("T", i), Suite: "p", Outcome: results.Failed, Duration: time.Second, Message: message, Location: fmt.Sprint("a_test.go:", i+1)}
	})
	if got := all.Count(); got != [...]int64{many, 0, 0, many} {
		t.Errorf("%v are counted", got)
	}
}

func TestDefectsArrive(t *testing.T) {
	all := &results.Recorder{}
	r := tap.New(all)
	_, _ = r.Write([]byte("1..2\nok 1\nBail out!  no database\n"))
	r.Close()
	if !slices.Contains(all.Defects, results.BailedOut) {
		t.Errorf("it notes %v", all.Defects)
	}
}
