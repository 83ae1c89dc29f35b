package junit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

func TestMeaning(t *testing.T) {
	long := strings.Repeat("x", 3*maxText)
	shortened := strings.Repeat("x", results.MaxMessage-len(mark)) + mark
	tests := map[string]struct {
		xml    string
		counts [4]int64
		cases  []string
	}{
		"a case without anything passes":         {`<testsuite><testcase/></testsuite>`, [4]int64{1}, nil},
		"a testcase can be the first element":    {`<testcase name="a"/>`, [4]int64{1}, nil},
		"no cases are no cases":                  {`<testsuites tests="7"/>`, [4]int64{}, nil},
		"a case without a name is (unnamed)":     {`<testcase name=" "><failure/></testcase>`, [4]int64{0, 1}, []string{"Failed : (unnamed): "}},
		"the class name is the suite":            {`<testsuite name="s"><testcase name="a" classname="c" file="f"><failure/></testcase></testsuite>`, [4]int64{0, 1}, []string{"Failed c: a: "}},
		"without a class it is the nearest name": {`<testsuites name="o"><testsuite name="s"><testsuite><testcase name="a" file="f"><failure/></testcase></testsuite></testsuite></testsuites>`, [4]int64{0, 1}, []string{"Failed s: a: "}},
		"without any name it is the file":        {`<testsuite><testcase name="a" file="f"><failure/></testcase></testsuite>`, [4]int64{0, 1}, []string{"Failed f: a: "}},
		"a suite may be named by its file":       {`<testsuite file="f"><testcase name="a"><failure/></testcase></testsuite>`, [4]int64{0, 1}, []string{"Failed f: a: "}},

		"an error wins over a failure":             {`<testcase name="a"><failure message="f"/><error message="e"/></testcase>`, [4]int64{0, 0, 1}, []string{"Errored : a: f\\ne"}},
		"a skip wins over a failure":               {`<testcase name="a"><failure message="f"/><skipped message="s"/></testcase>`, [4]int64{0, 0, 0, 1}, []string{"Skipped : a: s"}},
		"an error wins over a skip":                {`<testcase name="a"><skipped message="s"/><error message="e"/></testcase>`, [4]int64{0, 0, 1}, []string{"Errored : a: e"}},
		"a todo may fail and be counted":           {`<testsuite name="s" failures="1"><testcase name="a"><skipped type="todo"/><failure message="f"/></testcase></testsuite>`, [4]int64{0, 0, 0, 1}, []string{"Skipped s: a: f"}},
		"a skip whose failure is counted fails":    {`<testsuite name="s" failures="1"><testcase name="a"><skipped/><failure message="f"/></testcase></testsuite>`, [4]int64{0, 0, 1, 1}, []string{"Errored : s: the suite declares 1 failures and lists none", "Skipped s: a: f"}},
		"disabled is skipped":                      {`<testcase name="a"><disabled message="s"/></testcase>`, [4]int64{0, 0, 0, 1}, []string{"Skipped : a: s"}},
		"a skip may give its reason as text":       {`<testcase name="a"><skipped type="t"> s </skipped></testcase>`, [4]int64{0, 0, 0, 1}, []string{"Skipped : a: s"}},
		"an expected failure is skipped":           {`<testcase name="a"><skipped type="pytest.xfail" message="bug"/></testcase>`, [4]int64{0, 0, 0, 1}, []string{"Skipped : a: bug"}},
		"a case that was not run is skipped":       {`<testcase name="a" status="notrun"/>`, [4]int64{0, 0, 0, 1}, []string{"Skipped : a: "}},
		"a result may be skipped":                  {`<testcase name="a" status="run" result="skipped"/>`, [4]int64{0, 0, 0, 1}, []string{"Skipped : a: "}},
		"a result may be suppressed":               {`<testcase name="a" status="run" result="suppressed"/>`, [4]int64{0, 0, 0, 1}, []string{"Skipped : a: "}},
		"a status may be failed":                   {`<testcase name="a" status="Failed"/>`, [4]int64{0, 1}, []string{"Failed : a: "}},
		"a status may have blanks and hyphens":     {`<testsuite><testcase name="a" status="Not-Run"/><testcase name="b" status="timed out"/></testsuite>`, [4]int64{0, 0, 1, 1}, []string{"Errored : b: ", "Skipped : a: "}},
		"what was not executed is skipped":         {`<testcase name="a" executed="False"/>`, [4]int64{0, 0, 0, 1}, []string{"Skipped : a: "}},
		"what had no success failed":               {`<testcase name="a" executed="True" success="False"/>`, [4]int64{0, 1}, []string{"Failed : a: "}},
		"what completed passed":                    {`<testcase name="a" status="run" result="completed"/>`, [4]int64{1}, nil},
		"reruns fail once":                         {`<testcase name="a"><failure message="1"/><rerunFailure message="2"/><rerunError message="3"/></testcase>`, [4]int64{0, 1}, []string{"Failed : a: 1"}},
		"a rerun may come before the failure":      {`<testcase name="a"><rerunFailure message="2"/><failure message="1"/></testcase>`, [4]int64{0, 1}, []string{"Failed : a: 1"}},
		"reruns without a first attempt fail":      {`<testcase name="a"><rerunError message="1"/><rerunFailure message="2"/></testcase>`, [4]int64{0, 1}, []string{"Failed : a: 1"}},
		"what passed in the end passed":            {`<testcase name="a"><flakyFailure message="1"/><flakyError><failure/></flakyError></testcase>`, [4]int64{1}, nil},
		"what a flake failed of counts as listed":  {`<testsuite name="s" failures="1"><testcase name="a"><flakyFailure/></testcase></testsuite>`, [4]int64{1}, nil},
		"elements that are unknown are seen past":  {`<testsuites><group><testcase name="a"/><failure/></group></testsuites>`, [4]int64{1}, nil},
		"unknown elements of a case say nothing":   {`<testcase><steps><failure/><testcase/></steps></testcase>`, [4]int64{1}, nil},
		"output and properties say nothing":        {`<testsuite><properties><testcase/></properties><testcase><system-out><failure/></system-out></testcase><system-err><error/></system-err></testsuite>`, [4]int64{1}, nil},
		"a case in a case is a case":               {`<testcase name="a"><testcase name="b"><failure/></testcase></testcase>`, [4]int64{1, 1}, []string{"Failed : b: "}},
		"suites nest":                              {`<testsuites><testsuite name="s"><testcase name="a"/><testsuite name="t"><testcase name="b"><failure/></testcase></testsuite><testcase name="c"><failure/></testcase></testsuite></testsuites>`, [4]int64{1, 2}, []string{"Failed t: b: ", "Failed s: c: "}},
		"counts in attributes are not trusted":     {`<testsuite tests="9" failures="9"><testcase name="a"><failure/></testcase></testsuite>`, [4]int64{0, 1}, []string{"Failed : a: "}},
		"a failure that is not listed is an error": {`<testsuites failures="2"><testsuite name="s" failures="1" errors="1"><testcase/></testsuite></testsuites>`, [4]int64{1, 0, 1}, []string{"Errored : s: the suite declares 2 failures and lists none"}},
		"one listed deeper down will do":           {`<testsuites failures="1"><testsuite name="s" errors="1"><testsuite><testcase name="a"><error/></testcase></testsuite></testsuite></testsuites>`, [4]int64{0, 0, 1}, []string{"Errored s: a: "}},
		"counts that are none count nothing":       {`<testsuite failures="" errors="-1"><testsuite failures="NaN" errors="99999999999999999999"/></testsuite>`, [4]int64{}, nil},
		"an error of a suite is a case":            {`<testsuites name="o"><testsuite name="s" errors="1"><error message="m"/><skipped/><failure>x</failure></testsuite></testsuites>`, [4]int64{0, 0, 2}, []string{"Errored o: s: m", "Errored o: s: x"}},

		"a type stands in for the message":     {`<testcase name="a"><failure type="T"/></testcase>`, [4]int64{0, 1}, []string{"Failed : a: T"}},
		"a text stands in for both":            {`<testcase name="a"><failure> x&#10;y </failure></testcase>`, [4]int64{0, 1}, []string{"Failed : a: x\\ny"}},
		"a text adds to the message":           {`<testcase name="a"><failure message="m" type="T">x</failure></testcase>`, [4]int64{0, 1}, []string{"Failed : a: m\\nx"}},
		"a text may repeat the message":        {`<testcase name="a"><failure message="m" type="T">T: m&#10;at x</failure></testcase>`, [4]int64{0, 1}, []string{"Failed : a: T: m\\nat x"}},
		"a message may hold the text":          {`<testcase name="a"><failure message="m&#10;n">m</failure></testcase>`, [4]int64{0, 1}, []string{"Failed : a: m\\nn"}},
		"a message further down is none":       {`<testcase name="a"><failure message="m">x&#10;m</failure></testcase>`, [4]int64{0, 1}, []string{"Failed : a: m\\nx\\nm"}},
		"a failure's text may be in elements":  {`<testcase name="a"><failure><why>x</why><system-out>no</system-out><failure>y</failure></failure></testcase>`, [4]int64{0, 1}, []string{"Failed : a: xy"}},
		"a text goes on after CDATA":           {`<testcase name="a"><failure>1<![CDATA[<2>]]><!-- 3 --><?x 4?>5</failure></testcase>`, [4]int64{0, 1}, []string{"Failed : a: 1<2>5"}},
		"failures are joined":                  {`<testcase name="a"><failure message="1"/><failure message="2"/><failure>3</failure></testcase>`, [4]int64{0, 1}, []string{"Failed : a: 1\\n2\\n3"}},
		"long messages are shortened":          {`<testcase name="a"><failure message="` + long + `"/></testcase>`, [4]int64{0, 1}, []string{"Failed : a: " + shortened}},
		"long texts are shortened":             {`<testcase name="a"><failure>` + long + `</failure></testcase>`, [4]int64{0, 1}, []string{"Failed : a: " + shortened}},
		"many failures are shortened":          {`<testcase name="a">` + strings.Repeat(`<failure message="xx"/>`, 9999) + `</testcase>`, [4]int64{0, 1}, []string{"Failed : a: " + many("xx\n")}},
		"names are shortened":                  {`<testcase name="` + long + `"><failure/></testcase>`, [4]int64{0, 1}, []string{"Failed : " + long[:results.MaxName-len(mark)] + mark + ": "}},
		"HTML's names of characters are known": {`<testcase name="a"><failure>&nbsp;&eacute;&apos;&quot;</failure></testcase>`, [4]int64{0, 1}, []string{`Failed : a: é'"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, sum := read(strings.NewReader(test.xml))
			got.cases = nil
			for _, c := range sum.Cases() {
				if c.Outcome != results.Passed {
					message := strings.ReplaceAll(c.Message, "\n", `\n`)
					got.cases = append(got.cases, fmt.Sprintf("%s %s: %s: %s", c.Outcome, c.Suite, c.Name, message))
				}
			}
			want := outcome{true, test.counts, test.cases, ""}
			if got.String() != want.String() {
				t.Errorf("read\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// many is text repeated and cut to the length of a message, as results.Size counts it.
func many(text string) string {
	return strings.ReplaceAll(results.Cut(strings.Repeat(text, results.MaxMessage), results.MaxMessage), "\n", `\n`)
}

func TestDuration(t *testing.T) {
	tests := map[string]time.Duration{
		"":          0,
		"0":         0,
		"1":         time.Second,
		" 0.25 ":    250 * time.Millisecond,
		".5":        500 * time.Millisecond,
		"0.5s":      500 * time.Millisecond,
		"0.5 s":     500 * time.Millisecond,
		"1e-3":      time.Millisecond,
		"0.005711":  5711 * time.Microsecond,
		"1.001":     1001 * time.Millisecond,
		"4.35":      4350 * time.Millisecond,
		"1,234.5":   1234*time.Second + 500*time.Millisecond,
		"1,234,567": 1234567 * time.Second,
		"1,234":     1234 * time.Second,
		"0,123":     123 * time.Millisecond,
		"12,5":      12*time.Second + 500*time.Millisecond,
		"-1":        0,
		"NaN":       0,
		"Inf":       0,
		"1e300":     0,
		"99999999":  0,
		"35996400":  9999 * time.Hour,
		"soon":      0,
		"00:00:01":  0,
	}
	for text, want := range tests {
		if got := duration(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestDurationOfACaseInACaseIsPartOfIt(t *testing.T) {
	_, sum := read(strings.NewReader(`<testsuite time="9"><testcase time="2"><testcase time="1"/></testcase><testcase time="3"/></testsuite>`))
	if sum.Duration != 5*time.Second {
		t.Errorf("the cases took %s, want 5s", sum.Duration)
	}
}
