package tap

import (
	"testing"
	"unicode/utf8"

	"github.com/testrun-dev/testrun/internal/results"
)

func FuzzReader(f *testing.F) {
	for _, fixture := range fixtures(f) {
		f.Add(fixture.stdout, fixture.stderr, uint8(7))
	}
	for _, c := range endless {
		f.Add(c.stdout, c.stderr, uint8(1))
	}
	f.Fuzz(func(t *testing.T, stdout, stderr string, chunk uint8) {
		whole, recognized := read(stdout, stderr, wholly, false)
		once := describe(whole, recognized)
		if parted := describe(read(stdout, stderr, int(chunk)+1, false)); parted != once {
			t.Errorf("in chunks of %d bytes got\n%s\nat once\n%s", int(chunk)+1, parted, once)
		}
		first, _ := read(stdout, stderr, wholly, true)
		if first.Passed != whole.Passed || first.Failed != whole.Failed || first.Errored != whole.Errored ||
			first.Skipped != whole.Skipped || first.Defect != whole.Defect {
			t.Errorf("with the standard error first got\n%s\nbehind\n%s", describe(first, recognized), once)
		}
		check(t, whole)
	})
}

// check checks what holds of every summary.
func check(t *testing.T, s *results.Summary) {
	t.Helper()
	kept := map[results.Outcome]int64{}
	cases := s.Cases()
	for _, c := range cases {
		kept[c.Outcome]++
		for text, limit := range map[string]int{c.Name: results.MaxName, c.Suite: results.MaxName, c.Message: results.MaxMessage} {
			if results.Size(text) > limit || !utf8.ValidString(text) {
				t.Errorf("%q is longer than %d or no UTF-8", text, limit)
			}
		}
		if c.Duration < 0 || c.Nested {
			t.Errorf("no case can be %+v", c)
		}
	}
	if failing := kept[results.Failed] + kept[results.Errored]; failing != min(s.Failed+s.Errored, results.MaxCases) {
		t.Errorf("%d failing cases are kept of %d", failing, s.Failed+s.Errored)
	}
	if int64(len(cases)) != min(s.Total(), results.MaxCases) {
		t.Errorf("%d cases are kept of %d", len(cases), s.Total())
	}
	if results.Size(s.DefectMessage) > results.MaxMessage || !utf8.ValidString(s.DefectMessage) {
		t.Errorf("%q is too long or no UTF-8", s.DefectMessage)
	}
	if (s.Defect == "") != (s.DefectMessage == "") && s.Defect != results.BailedOut {
		t.Errorf("%s is explained by %q", s.Defect, s.DefectMessage)
	}
}
