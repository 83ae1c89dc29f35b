package junit

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

// readAll reads several files of one test: path and content of each, in this order.
func readAll(t *testing.T, files ...string) (*Reader, *results.Summary) {
	t.Helper()
	var sum results.Summary
	reader := New(&sum)
	for i := 0; i < len(files); i += 2 {
		if !reader.Read(strings.NewReader(files[i+1]), files[i], true) || sum.Defect != "" {
			t.Errorf("%s cannot be read: %s", files[i], sum.DefectMessage)
		}
	}
	return reader, &sum
}

func suiteOf(attributes string, cases ...string) string {
	return fmt.Sprintf("<testsuite %s>%s</testsuite>", attributes, strings.Join(cases, ""))
}

func TestWhatSeveralFilesTellCountsOnce(t *testing.T) {
	fixture := func(name string) string { return string(content(t, filepath.Join("testdata/duplicates", name))) }
	const (
		stamped = `name="shop.TillTest" tests="2" failures="1" timestamp="2026-01-01T10:00:00" hostname="h"`
		clean   = `name="shop.TillTest" tests="2" timestamp="2026-01-01T10:00:00" hostname="h"`
		passes  = `<testcase name="opens" classname="shop.TillTest" time="0.1"/>`
		fails   = `<testcase name="closes" classname="shop.TillTest" time="0.1"><failure/></testcase>`
		other   = `<testcase name="counts" classname="shop.TillTest" time="0.1"><failure/></testcase>`
	)
	tests := map[string]struct {
		files []string
		want  [4]int64
	}{
		"Ant's reports and the merged one": {
			[]string{"TEST-shop.TillTest.xml", fixture("TEST-shop.TillTest.xml"), "TESTS-TestSuites.xml", fixture("TESTS-TestSuites.xml")}, [4]int64{1, 1},
		},
		"the merged one first": {
			[]string{"TESTS-TestSuites.xml", fixture("TESTS-TestSuites.xml"), "TEST-shop.TillTest.xml", fixture("TEST-shop.TillTest.xml")}, [4]int64{1, 1},
		},
		"two build folders": {
			[]string{"app/build/a.xml", suiteOf(stamped, passes, fails), "copy/app/build/a.xml", suiteOf(stamped, passes, fails)}, [4]int64{1, 1},
		},
		"three of them": {
			[]string{"a.xml", suiteOf(stamped, passes, fails), "b.xml", suiteOf(stamped, passes, fails), "c.xml", suiteOf(stamped, passes, fails)}, [4]int64{1, 1},
		},
		"no time of day, but how long it took": {
			[]string{"a.xml", suiteOf(`name="s" tests="1" time="0.117"`, passes), "b.xml", suiteOf(`name="s" tests="1" time="0.117"`, passes)}, [4]int64{1},
		},
		"TestNG's own reports below those of Surefire": {
			[]string{
				"TEST-TestSuite.xml", suiteOf(`name="TestSuite" tests="3" failures="1" time="0.5"`, passes, `<testcase name="adds" classname="shop.CartTest"/>`, fails),
				"junitreports/TEST-shop.CartTest.xml", suiteOf(`name="shop.CartTest" tests="1" failures="0" time="0.1" timestamp="t"`, `<testcase name="adds" classname="shop.CartTest"/>`),
				"junitreports/TEST-shop.TillTest.xml", suiteOf(`name="shop.TillTest" tests="2" failures="1" time="0.1" timestamp="t"`, fails, passes),
			}, [4]int64{2, 1},
		},
		"TestNG's own reports and no others": {
			[]string{"junitreports/TEST-shop.TillTest.xml", suiteOf(`name="shop.TillTest" tests="2"`, passes, fails)}, [4]int64{1, 1},
		},
		"a flaky case": {
			[]string{"a.xml", suiteOf(stamped, fails, strings.Replace(fails, "<failure/>", "", 1)), "b.xml", suiteOf(stamped, fails, strings.Replace(fails, "<failure/>", "", 1))}, [4]int64{1},
		},

		"a copy that has another failure": {
			[]string{"a.xml", suiteOf(stamped, passes, fails), "b.xml", suiteOf(stamped, passes, other)}, [4]int64{1, 2},
		},
		"a copy that fails where the first passed": {
			[]string{"a.xml", suiteOf(clean, passes, passes), "b.xml", suiteOf(clean, passes, fails)}, [4]int64{2, 1},
		},
		"the same class at another time": {
			[]string{"a.xml", suiteOf(stamped, passes, fails), "b.xml", suiteOf(strings.Replace(stamped, "10:00", "10:01", 1), passes, fails)}, [4]int64{2, 2},
		},
		"the same class in the same second, and not as long": {
			[]string{"a.xml", suiteOf(stamped+` time="0.1"`, passes, fails), "b.xml", suiteOf(stamped+` time="0.2"`, passes, fails)}, [4]int64{2, 2},
		},
		"the same class on another host": {
			[]string{"a.xml", suiteOf(stamped, passes, fails), "b.xml", suiteOf(strings.Replace(stamped, `"h"`, `"i"`, 1), passes, fails)}, [4]int64{2, 2},
		},
		"nothing tells when": {
			[]string{"a.xml", suiteOf(`name="s" tests="2"`, passes, fails), "b.xml", suiteOf(`name="s" tests="2"`, passes, fails)}, [4]int64{2, 2},
		},
		"two suites of one name in one file": {
			[]string{"a.xml", "<testsuites>" + suiteOf(clean, passes) + suiteOf(clean, passes) + "</testsuites>"}, [4]int64{2},
		},
		"a case that fails in one file and passes in another": {
			[]string{"chrome.xml", suiteOf(`name="s" tests="1"`, fails), "firefox.xml", suiteOf(`name="s" tests="1"`, strings.Replace(fails, "<failure/>", "", 1))}, [4]int64{1, 1},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, sum := readAll(t, test.files...)
			if got := [4]int64{sum.Passed, sum.Failed, sum.Errored, sum.Skipped}; got != test.want {
				t.Errorf("it counts %v, want %v: %+v", got, test.want, sum.Cases())
			}
		})
	}
}

func TestANameThatComesAgainIsAnAttemptAfterAFailureOnly(t *testing.T) {
	const (
		pass, fail, skip = `<testcase name="a"/>`, `<testcase name="a"><failure/></testcase>`, `<testcase name="a"><skipped/></testcase>`
		golang           = `<properties><property name="go.version" value="go1.26"/></properties>`
	)
	tests := map[string]struct {
		cases []string
		// want and distrusted are passed, failed, skipped, flaky; the latter for a test that fails although no case does.
		want, distrusted [4]int64
	}{
		"fails, then passes":              {[]string{fail, pass}, [4]int64{1, 0, 0, 1}, [4]int64{1, 1}},
		"fails twice, then passes":        {[]string{fail, fail, pass}, [4]int64{1, 0, 0, 1}, [4]int64{1, 2}},
		"fails twice":                     {[]string{fail, fail}, [4]int64{0, 1}, [4]int64{0, 1}},
		"passes twice":                    {[]string{pass, pass}, [4]int64{2}, [4]int64{2}},
		"passes, then fails":              {[]string{pass, fail}, [4]int64{1, 1}, [4]int64{1, 1}},
		"passes, fails, passes":           {[]string{pass, fail, pass}, [4]int64{2, 1}, [4]int64{2, 1}},
		"fails, passes, fails, passes":    {[]string{fail, pass, fail, pass}, [4]int64{2, 2}, [4]int64{2, 2}},
		"the same in a package of Go":     {[]string{golang, fail, pass, fail, pass}, [4]int64{1, 0, 0, 1}, [4]int64{2, 2}},
		"fails, then is skipped":          {[]string{fail, skip}, [4]int64{0, 1, 1}, [4]int64{0, 1, 1}},
		"fails in a suite of that name":   {[]string{`<testsuite name="s">` + fail + `</testsuite><testsuite name="s">`, pass, `</testsuite>`}, [4]int64{1, 0, 0, 1}, [4]int64{1, 1}},
		"fails in a suite of another":     {[]string{`<testsuite name="t">` + fail + `</testsuite>`, pass}, [4]int64{1, 1}, [4]int64{1, 1}},
		"fails in another browser":        {[]string{`<testsuite name="a.spec" hostname="chrome"><testcase name="a" classname="c"><failure/></testcase></testsuite>`, `<testsuite name="a.spec" hostname="firefox"><testcase name="a" classname="c"/></testsuite>`}, [4]int64{1, 1}, [4]int64{1, 1}},
		"is called flaky by its tool":     {[]string{`<testcase name="a" flaky="true"><failure/></testcase>`}, [4]int64{1, 0, 0, 1}, [4]int64{1, 0, 0, 1}},
		"is called flaky and has failed":  {[]string{`<testcase name="a"><flakyFailure/><failure/></testcase>`}, [4]int64{0, 1}, [4]int64{0, 1}},
		"is not called flaky, and failed": {[]string{`<testcase name="a" flaky="false"><failure/></testcase>`}, [4]int64{0, 1}, [4]int64{0, 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reader, sum := readAll(t, "a.xml", suiteOf(`name="s"`, test.cases...))
			counts := func() [4]int64 { return [4]int64{sum.Passed, sum.Failed + sum.Errored, sum.Skipped, sum.Flaky} }
			if counts() != test.want {
				t.Errorf("it counts %v, want %v", counts(), test.want)
			}
			reader.Distrust()
			if counts() != test.distrusted {
				t.Errorf("of a test that fails it counts %v, want %v", counts(), test.distrusted)
			}
		})
	}
}

func TestWhereACaseIs(t *testing.T) {
	const java = "java.lang.AssertionError\n\tat org.junit.Assert.fail(Assert.java:89)\n\tat shop.TillTest.opens(TillTest.java:12)"
	tests := map[string]struct{ xml, want string }{
		"a file and a line":                {`<testcase file="t/till.php" line="9"/>`, "t/till.php:9"},
		"a file alone":                     {`<testcase file="t/till.js"/>`, "t/till.js"},
		"the line in minitest's words":     {`<testcase file="t/till.rb" lineno="9"/>`, "t/till.rb:9"},
		"the file of the suite":            {`<testsuite file="t/till.php"><testsuite name="s"><testcase line="9"/></testsuite></testsuite>`, "t/till.php:9"},
		"a line without a file":            {`<testcase line="9"/>`, ""},
		"a line that is none":              {`<testcase file="t/till.php" line="-1"/>`, "t/till.php"},
		"a failure of Go":                  {"<testcase><failure message='Failed'>    till_test.go:9: stuck</failure></testcase>", "till_test.go:9"},
		"a failure of Java":                {"<testcase classname='shop.TillTest'><failure>" + java + "</failure></testcase>", "TillTest.java:12"},
		"a failure tells more exactly":     {"<testcase file='till_test.py'><failure>assert 1 == 2\ntill_test.py:5: AssertionError</failure></testcase>", "till_test.py:5"},
		"the attributes go first":          {"<testcase file='till.php' line='3'><failure>no\n/app/till.php:9\n</failure></testcase>", "till.php:3"},
		"of a flaky case, where it failed": {"<testcase><flakyFailure><stackTrace>    till_test.go:9: stuck</stackTrace></flakyFailure></testcase>", "till_test.go:9"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, sum := readAll(t, "a.xml", test.xml)
			if got := sum.Cases()[0].Location; got != test.want {
				t.Errorf("it is at %q, want %q", got, test.want)
			}
		})
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
	const xml = `<testsuite><properties><property name="of the suite" value="1"/></properties>
		<testcase name="a"><properties><property name="owner" value="till"/><property name="attachment" value="a/log.txt"/></properties>
		<system-out><![CDATA[it <opens>
[[ATTACHMENT|a/screen.png]] [[ATTACHMENT|a/not closed]]></system-out><system-err>no</system-err></testcase>
		<testcase name="b"><failure>x</failure></testcase></testsuite>`
	var sink recorder
	read := Read(strings.NewReader(xml), "a.xml", &sink)
	got := sink.cases
	if !read || sink.Defect != "" || len(got) != 2 {
		t.Fatalf("%d cases, %s", len(got), sink.DefectMessage)
	}
	details := got[0].Details
	if want := "it <opens>\n[[ATTACHMENT|a/screen.png]] [[ATTACHMENT|a/not closed"; details.Output != want {
		t.Errorf("the output is %q", details.Output)
	}
	if want := []results.Property{{Name: "owner", Value: "till"}, {Name: "attachment", Value: "a/log.txt"}}; !slices.Equal(details.Properties, want) {
		t.Errorf("the properties are %v", details.Properties)
	}
	if want := []string{"a/log.txt", "a/screen.png"}; !slices.Equal(details.Attachments, want) {
		t.Errorf("the attachments are %q", details.Attachments)
	}
	if other := got[1].Details; other.Output != "" || len(other.Properties) > 0 || len(other.Attachments) > 0 {
		t.Errorf("the second case has %+v", other)
	}
	_, sum2 := readAll(t, "a.xml", xml)
	if sum2.Cases()[0].Details != nil {
		t.Error("nobody asked for details")
	}
}
