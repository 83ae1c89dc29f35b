package page

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/testrun-dev/testrun/internal/page/picture"
	"github.com/testrun-dev/testrun/internal/web"
)

// flakyView is the list of flaky cases.
type flakyView struct {
	Rows []flakyRow
	// More is the address of the next page; empty on the last one. First says that this is the first page.
	More  string
	First bool
}

// flakyRow is a case that changes between passed and failed.
type flakyRow struct {
	web.FlakyCase
	Path, TestPath string
	// Recently is how often it changed, where what is long ago counts less.
	Recently string
	// Fade is how old its changes are, from 0 to 3.
	Fade int
	Heat template.HTML
}

const heatMapDays = 30

func (v *visit) flaky() error {
	if err := v.lookAround(); err != nil {
		return err
	}
	view := flakyView{First: v.r.FormValue("after") == ""}
	query, ok := v.namespaces.query()
	if !ok {
		return v.show(http.StatusOK, "flaky", "Flaky cases", view)
	}
	query.Set("limit", "50")
	if !view.First {
		query.Set("after", v.r.FormValue("after"))
	}
	var list web.FlakyList
	err := v.get(&list, query, "/flaky")
	if err == nil {
		view.Rows, err = v.flakyRows(list.Items)
	}
	if err != nil {
		return err
	}
	if list.Next != "" {
		more := v.r.URL.Query()
		more.Set("after", list.Next)
		view.More = "/flaky?" + more.Encode()
	}
	return v.show(http.StatusOK, "flaky", "Flaky cases", view)
}

// flakyRows adds to each case what it did in the last days.
func (v *visit) flakyRows(cases []web.FlakyCase) ([]flakyRow, error) {
	rows := make([]flakyRow, len(cases))
	var group errgroup.Group
	group.SetLimit(askedAtOnce)
	for i, c := range cases {
		rows[i] = flakyRow{
			FlakyCase: c, Path: casePath(c.Namespace, c.Series, c.Suite, c.Name), TestPath: seriesPath(c.Namespace, c.Series),
			Recently: fmt.Sprintf("%.1f", c.Recent), Fade: fadeOf(c.Recent),
		}
		group.Go(func() error {
			var trend web.Trend
			query := url.Values{"suite": {c.Suite}, "name": {c.Name}, "days": {fmt.Sprint(heatMapDays)}}
			err := v.get(&trend, query, "/namespaces/%s/series/%s/case/trend", c.Namespace, c.Series)
			var refused *apiError
			if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
				err = nil // it was deleted meanwhile
			}
			days := heatDays(trend.Items, heatMapDays, time.Now())
			rows[i].Heat = picture.Heat(heatLabel(days), days)
			return err
		})
	}
	return rows, group.Wait()
}

// fadeOf is how faint a case is by now.
func fadeOf(recent float64) int {
	switch {
	case recent >= 1:
		return 0
	case recent >= 0.5:
		return 1
	case recent >= 0.2:
		return 2
	}
	return 3
}

func heatLabel(days []picture.HeatDay) string {
	bad, ran := 0, 0
	for _, d := range days {
		if d.Runs > 0 {
			ran++
		}
		if d.Bad > 0 {
			bad++
		}
	}
	return fmt.Sprintf("Of the last %d days it ran on %d, and went wrong on %d", len(days), ran, bad)
}
