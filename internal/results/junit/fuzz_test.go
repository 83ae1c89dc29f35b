package junit

import (
	"bytes"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/testrun-dev/testrun/internal/results"
)

func FuzzRead(f *testing.F) {
	for _, file := range fixtures(f) {
		f.Add(content(f, file))
	}
	f.Fuzz(func(t *testing.T, xml []byte) {
		var sum, again results.Summary
		junit := Read(bytes.NewReader(xml), "r.xml", &sum)
		if Read(iotest.OneByteReader(bytes.NewReader(xml)), "r.xml", &again) != junit || !same(&sum, &again) {
			t.Error("byte by byte the result is different")
		}
		if !junit && (sum.Total() > 0 || sum.Defect != "") {
			t.Errorf("it is not JUnit XML, and there are %d cases, defect %q", sum.Total(), sum.DefectMessage)
		}
		if most := int64(bytes.Count(xml, []byte("<"))); sum.Total() > most {
			t.Errorf("there are %d cases in %d elements", sum.Total(), most)
		}
		if sum.Duration < 0 {
			t.Errorf("the cases took %s", sum.Duration)
		}
		cases := sum.Cases()
		if want := min(sum.Total(), results.MaxCases); int64(len(cases)) != want {
			t.Errorf("%d of %d cases are kept", len(cases), sum.Total())
		}
		counts := map[results.Outcome]int64{}
		for _, c := range cases {
			counts[c.Outcome]++
			checkText(t, c.Name, results.MaxName)
			checkText(t, c.Suite, results.MaxName)
			checkText(t, c.Message, results.MaxMessage)
		}
		checkText(t, sum.DefectMessage, results.MaxMessage)
		if sum.Total() <= results.MaxCases && (counts[results.Passed] != sum.Passed || counts[results.Failed] != sum.Failed ||
			counts[results.Errored] != sum.Errored || counts[results.Skipped] != sum.Skipped) {
			t.Errorf("the cases are %v, and the counts of %+v different", counts, sum)
		}
	})
}

func checkText(t *testing.T, text string, limit int) {
	t.Helper()
	if !utf8.ValidString(text) || results.Size(text) > limit {
		t.Errorf("%q is not valid, or too long", text)
	}
}
