package page

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/page/picture"
	"github.com/testrun-dev/testrun/internal/web"
)

// inSeconds says how long so many seconds are.
func inSeconds(seconds float64) string {
	const most = float64(math.MaxInt64) / float64(time.Second) / 2
	if math.IsNaN(seconds) {
		seconds = 0
	}
	return duration(time.Duration(min(seconds, most) * float64(time.Second)))
}

// onAxis says how long so many seconds are, beside a scale: without a second unit that is 0.
func onAxis(seconds float64) string {
	text := strings.TrimSuffix(inSeconds(seconds), " 00 s")
	return strings.TrimSuffix(text, " 00 min")
}

// percent says how many of all; nothing if there are none. Only all of them are 100 %, and only none are 0 %.
func percent(some, all int64) string {
	switch {
	case all <= 0:
		return ""
	case some <= 0:
		return "0 %"
	case some >= all:
		return "100 %"
	}
	share := 100 * float64(some) / float64(all)
	if share < 1 || share > 99 {
		return fmt.Sprintf("%.1f %%", min(max(share, 0.1), 99.9))
	}
	return fmt.Sprintf("%.0f %%", share)
}

// passRate is how many of the runs that were not cancelled have passed.
func passRate(r web.Rates) string { return percent(r.Passed, r.Runs-r.Cancelled) }

// total adds up days.
func total(days []web.Day) (sum web.Rates) {
	for _, day := range days {
		sum.Runs += day.Runs
		sum.Passed += day.Passed
		sum.Failed += day.Failed
		sum.Errored += day.Errored
		sum.TimedOut += day.TimedOut
		sum.Cancelled += day.Cancelled
		sum.Flaky += day.Flaky
	}
	return sum
}

// seriesPath is the address of the page of a Test, and casePath that of a case.
func seriesPath(namespace, series string) string {
	return "/namespaces/" + url.PathEscape(namespace) + "/series/" + url.PathEscape(series)
}

func casePath(namespace, series, suite, name string) string {
	query := url.Values{"name": {name}}
	if suite != "" {
		query.Set("suite", suite)
	}
	return seriesPath(namespace, series) + "/case?" + query.Encode()
}

// stripPlaces is how many outcomes a page shows, and rowPlaces how many a row of a table does.
const (
	stripPlaces = 100
	rowPlaces   = 20
)

// tally says how many there are of each outcome, the most frequent kinds first as they are read.
func tally(marks []picture.Mark, what string) string {
	if len(marks) == 0 {
		return "No " + what + " yet"
	}
	counts := map[string]int{}
	for _, mark := range marks {
		counts[mark.Word]++
	}
	text := fmt.Sprintf("The last %d %ss, from old to new", len(marks), what)
	if len(marks) == 1 {
		text = "One " + what
	}
	separator := ": "
	for _, name := range []string{"Passed", "Flaky", "Failed", "Error", "Errored", "TimedOut", "Cancelled", "Skipped", "InProgress", "Pending"} {
		if word := states[name].Word; counts[word] > 0 {
			text += fmt.Sprintf("%s%d %s", separator, counts[word], strings.ToLower(word))
			separator = ", "
		}
	}
	return text
}

// marksOf are runs as marks, the oldest first. The runs are the newest first.
func marksOf(runs []web.Run) []picture.Mark {
	marks := make([]picture.Mark, 0, len(runs))
	for i := range runs {
		run := runs[len(runs)-1-i]
		is := stateOf(run)
		marks = append(marks, picture.Mark{Class: is.Class, Word: is.Word, Name: run.Name, When: day(run.Created), Href: "/runs/" + url.PathEscape(run.UID)})
	}
	return marks
}

func runsOf(items []web.ListedRun) []web.Run {
	runs := make([]web.Run, 0, len(items))
	for _, item := range items {
		runs = append(runs, item.Run)
	}
	return runs
}

func stripOf(runs []web.Run, places int, links bool) template.HTML {
	marks := marksOf(runs)
	return picture.Strip{Label: tally(marks, "run"), Places: places, Marks: marks, Links: links}.Draw()
}

// day says a time of a picture, in UTC.
func day(at time.Time) string { return at.UTC().Format("2 Jan 15:04") }

// byDay shows values of days. values returns nil for a day that has none; label says the values of the last day in words.
func byDay(chart picture.Chart, days []web.Day, values func(web.Day) []float64, label func(day string, values []float64) string) template.HTML {
	chart.When = func(at time.Time) string { return at.Format("2 Jan") }
	for _, d := range days {
		at, err := time.Parse(time.DateOnly, d.Day)
		if of := values(d); err == nil && of != nil {
			chart.Points = append(chart.Points, picture.Point{At: at, Values: of})
		}
	}
	if len(chart.Points) == 0 {
		return ""
	}
	last := chart.Points[len(chart.Points)-1]
	chart.Label = label(chart.When(last.At), last.Values)
	return chart.Draw()
}

// durationsOf shows how long runs took, by day.
func durationsOf(days []web.Day) template.HTML {
	chart := picture.Chart{Lines: []string{"p50: half of the runs took no longer", "p95: 95 of 100 took no longer"}, Format: onAxis, Top: picture.SecondsTop}
	return byDay(chart, days, func(d web.Day) []float64 {
		if d.P50 <= 0 {
			return nil
		}
		return []float64{d.P50, d.P95}
	}, func(day string, values []float64) string {
		return fmt.Sprintf("How long runs took, by day. On %s p50 was %s, and p95 %s", day, inSeconds(values[0]), inSeconds(values[1]))
	})
}

// passRatesOf shows how many of 100 runs that were not cancelled have passed, by day.
func passRatesOf(days []web.Day) template.HTML {
	chart := picture.Chart{
		Lines: []string{"Passed"}, Format: func(rate float64) string { return fmt.Sprintf("%.0f %%", rate) }, Top: func(float64) float64 { return 100 },
	}
	return byDay(chart, days, func(d web.Day) []float64 {
		if d.Runs <= d.Cancelled {
			return nil
		}
		return []float64{100 * float64(d.Passed) / float64(d.Runs-d.Cancelled)}
	}, func(day string, values []float64) string {
		return fmt.Sprintf("How many of the runs passed, by day. On %s it was %s", day, chart.Format(values[0]))
	})
}

// heatDays are the last so many days of a case, also those without a run.
func heatDays(days []web.Day, last int, now time.Time) []picture.HeatDay {
	by := map[string]web.Day{}
	for _, d := range days {
		by[d.Day] = d
	}
	all := make([]picture.HeatDay, 0, last)
	for i := range last {
		at := now.UTC().AddDate(0, 0, i+1-last)
		d := by[at.Format(time.DateOnly)]
		all = append(all, picture.HeatDay{Day: at.Format("2 Jan"), Runs: d.Runs, Bad: min(d.Failed+d.Flaky, d.Runs)})
	}
	return all
}
