package page

import (
	"math"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/web"
)

func TestSharesAreNeverRoundedToAllOrNone(t *testing.T) {
	for _, c := range []struct {
		some, all int64
		want      string
	}{
		{0, 0, ""},
		{0, 7, "0 %"},
		{7, 7, "100 %"},
		{1, 1_000_000, "0.1 %"},
		{999_999, 1_000_000, "99.9 %"},
		{1, 3, "33 %"},
		{math.MaxInt64 - 1, math.MaxInt64, "99.9 %"},
	} {
		if got := percent(c.some, c.all); got != c.want {
			t.Errorf("%d of %d are %q, not %q", c.some, c.all, got, c.want)
		}
	}
}

func TestEndlessDurationsAreSaid(t *testing.T) {
	for _, seconds := range []float64{math.Inf(1), math.NaN(), 1e300, -1} {
		if got := inSeconds(seconds); got == "" || got[0] == '-' {
			t.Errorf("%g s are %q", seconds, got)
		}
	}
}

func TestACaseSaysSinceWhenItFails(t *testing.T) {
	ended := func(outcomes ...string) (history []web.CaseOutcome) {
		for i, outcome := range outcomes {
			history = append(history, web.CaseOutcome{Run: string(rune('a' + i)), Outcome: outcome})
		}
		return history
	}
	for _, c := range []struct {
		name    string
		history []web.CaseOutcome
		more    bool
		bad     bool
		row     int
		since   string
		atLeast bool
	}{
		{"nothing is kept", nil, false, false, 0, "", false},
		{"it was only skipped", ended("Skipped", "Skipped"), true, false, 0, "", true},
		{"it fails, and did not before", ended("Failed", "Passed"), false, true, 1, "a", false},
		{"it failed and errored, with a skip between", ended("Skipped", "Failed", "Skipped", "Errored", "Passed", "Failed"), true, true, 2, "d", false},
		{"it failed as far as is known", ended("Failed", "Failed"), true, true, 2, "b", true},
		{"it passed again", ended("Passed", "Passed", "Failed"), false, false, 2, "b", false},
	} {
		var view caseView
		view.readRow(c.history, c.more)
		if view.Bad != c.bad || view.Row != c.row || view.Since.Run != c.since || view.AtLeast != c.atLeast {
			t.Errorf("%s: bad %v, %d in a row since %q, at least %v", c.name, view.Bad, view.Row, view.Since.Run, view.AtLeast)
		}
	}
}

func TestTheCommandOfAFormCreatesTheSameRun(t *testing.T) {
	const hostile = "a\nEND\n$(reboot) `reboot` 'x' \"y\" <b> \\ # é : {}"
	text := "firefox"
	form := runForm{Test: "shop", Fields: []paramField{
		{ParamSpec: v1alpha1.ParamSpec{Name: "URL"}, Value: hostile},
		{ParamSpec: v1alpha1.ParamSpec{Name: "BROWSER", Default: &text}, Value: text},
	}}
	const head = "kubectl --namespace=till create --filename=- <<'END'\n"
	line := form.command("till")
	if len(line) < len(head) || line[:len(head)] != head || line[len(line)-4:] != "\nEND" {
		t.Fatalf("it is %s", line)
	}
	var run v1alpha1.TestRun
	if err := yaml.UnmarshalStrict([]byte(line[len(head):len(line)-3]), &run); err != nil {
		t.Fatal(err)
	}
	params := run.Spec.Params
	if run.GenerateName != "shop-" || run.Spec.TestRef.Name != "shop" || len(params) != 2 || *params[0].Value != hostile || *params[1].Value != text {
		t.Errorf("it creates %+v", run)
	}
}

func TestTheDaysOfAHeatMapEndToday(t *testing.T) {
	now := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	day := web.Day{Day: "2026-03-01"}
	day.Runs, day.Failed, day.Flaky = 2, 2, 1
	days := heatDays([]web.Day{day, {Day: "2026-01-01"}}, 3, now)
	if len(days) != 3 || days[2].Day != "2 Mar" || days[2].Runs != 0 || days[1].Runs != 2 || days[1].Bad != 2 {
		t.Errorf("they are %+v", days)
	}
	if got := ratesOf([]web.Day{day}, 1, now); got.Runs != 0 {
		t.Errorf("today has %d runs", got.Runs)
	}
	if got := ratesOf([]web.Day{day}, 7, now); got.Runs != 2 || got.FailedPercent != "100 %" {
		t.Errorf("the week is %+v", got)
	}
}

func TestARunOfNoSecondTookUnderOne(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	later := at.Add(61 * time.Second)
	for want, run := range map[string]web.Run{
		"":           {},
		"under 1 s":  {Started: &at, Finished: &at},
		"1 min 01 s": {Started: &at, Finished: &later},
	} {
		if got := tookOf(run); got != want {
			t.Errorf("it took %q, not %q", got, want)
		}
	}
}
