package page

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/testrun-dev/testrun/internal/page/picture"
	"github.com/testrun-dev/testrun/internal/web"
)

// caseView is the page of a case.
type caseView struct {
	Namespace, Series, TestPath, Suite, Name string
	// Last is how it ended last; nil if nothing is kept of it.
	Last *web.CaseOutcome
	// Row says how many times in a row it has ended so, and AtLeast that it may be more.
	Row     int
	AtLeast bool
	// Bad says that it fails, and Since is the first run of those in a row in which it did.
	Bad   bool
	Since web.CaseOutcome
	// Strip are its outcomes, and Took how long it took.
	Strip, Took, Heat template.HTML
	Rates             []rateRow
	Messages          []message
}

// rateRow is how often a case went wrong in some days.
type rateRow struct {
	Days                        int
	Runs, Failed, Flaky         int64
	FailedPercent, FlakyPercent string
}

// message is what a case said when it failed, and in how many of the last runs.
type message struct {
	Text  string
	Times int
	Last  web.CaseOutcome
}

func (v *visit) oneCase() error {
	view := caseView{
		Namespace: v.r.PathValue("namespace"), Series: v.r.PathValue("series"), Suite: v.r.FormValue("suite"), Name: v.r.FormValue("name"),
	}
	view.TestPath = seriesPath(view.Namespace, view.Series)
	if view.Name == "" {
		return &problem{http.StatusNotFound, "There is no such case", "The address names none. The page of the Test has links to its cases."}
	}
	query := url.Values{"suite": {view.Suite}, "name": {view.Name}}
	var history web.CaseHistory
	query.Set("limit", "100")
	if err := v.get(&history, query, "/namespaces/%s/series/%s/case", view.Namespace, view.Series); err != nil {
		return err
	}
	var trend web.Trend
	query.Del("limit")
	query.Set("days", fmt.Sprint(heatMapDays))
	if err := v.get(&trend, query, "/namespaces/%s/series/%s/case/trend", view.Namespace, view.Series); err != nil {
		return err
	}
	view.read(history.Items, history.Next != "")
	now := time.Now()
	days := heatDays(trend.Items, heatMapDays, now)
	view.Heat = picture.Heat(heatLabel(days), days)
	for _, last := range []int{1, 7, heatMapDays} {
		view.Rates = append(view.Rates, ratesOf(trend.Items, last, now))
	}
	return v.show(http.StatusOK, "case", view.Name, view)
}

func isBad(outcome string) bool { return outcome == "Failed" || outcome == "Errored" }

// read reads the history, the newest first. more says that there is more of it.
func (c *caseView) read(history []web.CaseOutcome, more bool) {
	marks := make([]picture.Mark, 0, len(history))
	took := picture.Chart{Lines: []string{"took"}, Format: onAxis, Top: picture.SecondsTop, When: day}
	for _, outcome := range slices.Backward(history) {
		is := stateOf(outcome.Outcome)
		if outcome.Flaky {
			is = states["Flaky"]
		}
		marks = append(marks, picture.Mark{
			Class: is.Class, Word: is.Word, Name: outcome.Run, When: day(outcome.Created), Href: "/runs/" + url.PathEscape(outcome.UID),
		})
		if outcome.Seconds > 0 {
			took.Points = append(took.Points, picture.Point{At: outcome.Created, Values: []float64{outcome.Seconds}})
		}
	}
	c.Strip = picture.Strip{Label: tally(marks, "outcome"), Places: stripPlaces, Marks: marks, Links: true}.Draw()
	if n := len(took.Points); n > 0 {
		took.Label = fmt.Sprintf("How long the case took in its last %d runs. In the last one it took %s", n, inSeconds(took.Points[n-1].Values[0]))
		c.Took = took.Draw()
	}
	c.readRow(history, more)
	c.Messages = messagesOf(history)
}

// readRow finds since when it has ended as it did last. Runs in which it was skipped say nothing.
func (c *caseView) readRow(history []web.CaseOutcome, more bool) {
	for i, outcome := range history {
		if outcome.Outcome == "Skipped" {
			continue
		}
		if c.Last == nil {
			c.Last, c.Bad = &history[i], isBad(outcome.Outcome)
		}
		if isBad(outcome.Outcome) != c.Bad {
			return
		}
		c.Since = outcome
		c.Row++
	}
	c.AtLeast = more
}

// maxMessages is how many different messages are shown, the newest first.
const maxMessages = 5

func messagesOf(history []web.CaseOutcome) []message {
	var all []message
	for _, outcome := range history {
		if outcome.Message == "" {
			continue
		}
		if i := slices.IndexFunc(all, func(m message) bool { return m.Text == outcome.Message }); i >= 0 {
			all[i].Times++
		} else if len(all) < maxMessages {
			all = append(all, message{outcome.Message, 1, outcome})
		}
	}
	return all
}

// ratesOf adds up the last days.
func ratesOf(days []web.Day, last int, now time.Time) rateRow {
	from := now.UTC().AddDate(0, 0, 1-last).Format(time.DateOnly)
	sum := total(slices.DeleteFunc(slices.Clone(days), func(d web.Day) bool { return d.Day < from }))
	return rateRow{last, sum.Runs, sum.Failed, sum.Flaky, percent(sum.Failed, sum.Runs), percent(sum.Flaky, sum.Runs)}
}
