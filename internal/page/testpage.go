package page

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"

	"github.com/testrun-dev/testrun/internal/web"
)

// testView is the page of a Test, or of another series.
type testView struct {
	Namespace, Series, Path string
	Form                    runForm
	// Known says that it has runs. Last is its newest run that has ended.
	Known  bool
	Last   web.LastRun
	Recent web.Rates
	Rate   string
	// Rates are how many runs passed each day, P50P95 how long they took.
	Rates   template.HTML
	P50P95  template.HTML
	Strip   template.HTML
	Rows    []runRow
	Live    string
	Several several
	// More is the list of all its runs.
	More    string
	Flaky   []flakyRow
	Slowest []slowCase
	// SlowOf is the run of the slowest cases, and SlowMost how many of its cases were looked at, if it has more.
	SlowOf   web.Run
	SlowMost int
}

// slowCase is a case that takes long.
type slowCase struct {
	web.Case
	Path string
}

// test is the page of a Test.
func (v *visit) test() error {
	namespace, name := v.r.PathValue("namespace"), v.r.PathValue("series")
	form, err := v.formOf(namespace, name, nil)
	if err != nil {
		return err
	}
	return v.showTest(http.StatusOK, namespace, name, form)
}

const (
	rowsOfTest  = 20
	casesOfTest = 10
	maxCases    = 500
	trendDays   = "90"
)

func (v *visit) showTest(status int, namespace, name string, form runForm) error {
	view := testView{Namespace: namespace, Series: name, Path: seriesPath(namespace, name), Form: form}
	var series web.Series
	err := v.get(&series, nil, "/namespaces/%s/series/%s", namespace, name)
	var refused *apiError
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
		if form.Missing != "" {
			return err
		}
		return v.show(status, "test", name, view)
	case err != nil:
		return err
	}
	view.Known, view.Last, view.Recent, view.Rate = true, series.Last, series.Recent, passRate(series.Recent)
	if series.Test == "" {
		view.Form.Missing = "These runs are of no Test: each has its test in itself, and can be repeated from its page."
	}
	if err := errors.Join(v.addTrend(&view), v.addRuns(&view), v.addFlaky(&view)); err != nil {
		return err
	}
	return v.show(status, "test", name, view)
}

func (v *visit) addTrend(view *testView) error {
	var trend web.Trend
	err := v.get(&trend, url.Values{"days": {trendDays}}, "/namespaces/%s/series/%s/trend", view.Namespace, view.Series)
	view.Rates, view.P50P95 = passRatesOf(trend.Items), durationsOf(trend.Items)
	return err
}

// addRuns adds the last runs, and the slowest cases of the newest one that has ended.
func (v *visit) addRuns(view *testView) error {
	selected := url.Values{"namespace": {view.Namespace}, "series": {view.Series}}
	view.Live, view.More = "/live?"+selected.Encode(), "/?"+selected.Encode()
	var list web.RunList
	selected.Set("limit", "100")
	if err := v.get(&list, selected, "/runs"); err != nil {
		return err
	}
	runs := runsOf(list.Items)
	for _, item := range list.Items[:min(len(list.Items), rowsOfTest)] {
		view.Rows = append(view.Rows, runRow{item.Run, item.Progress})
	}
	view.Strip = stripOf(runs, stripPlaces, true)
	var err error
	if view.Several, err = v.severalOf(view.Rows); err != nil {
		return err
	}
	ended := slices.IndexFunc(runs, func(run web.Run) bool {
		return run.Phase == "Finished" && run.Cases.Passed+run.Cases.Failed+run.Cases.Errored > 0
	})
	if ended < 0 {
		return nil
	}
	return v.addSlowest(view, runs[ended])
}

// addSlowest adds the slowest cases of a run. It looks at one page of them: the API has no list by duration.
func (v *visit) addSlowest(view *testView, run web.Run) error {
	var list web.CaseList
	err := v.get(&list, url.Values{"limit": {"500"}}, "/runs/%s/cases", run.UID)
	var refused *apiError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil // nothing is kept of its attempts
	}
	if err != nil {
		return err
	}
	slices.SortStableFunc(list.Items, func(a, b web.Case) int {
		switch {
		case a.Seconds > b.Seconds:
			return -1
		case a.Seconds < b.Seconds:
			return 1
		}
		return 0
	})
	for _, c := range list.Items[:min(len(list.Items), casesOfTest)] {
		if c.Seconds > 0 {
			view.Slowest = append(view.Slowest, slowCase{c, casePath(view.Namespace, view.Series, c.Suite, c.Name)})
		}
	}
	view.SlowOf = run
	if list.Next != "" {
		view.SlowMost = maxCases
	}
	return nil
}

func (v *visit) addFlaky(view *testView) error {
	var list web.FlakyList
	if err := v.get(&list, url.Values{"series": {view.Series}, "limit": {"10"}}, "/namespaces/%s/flaky", view.Namespace); err != nil {
		return err
	}
	var err error
	view.Flaky, err = v.flakyRows(list.Items)
	return err
}
