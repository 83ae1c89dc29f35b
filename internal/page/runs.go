package page

import (
	"net/http"
	"net/url"

	"github.com/testrun-dev/testrun/internal/web"
)

// runsView is the list of runs.
type runsView struct {
	Filter runsFilter
	Rows   []runRow
	// Older is the address of the next page; empty on the last one. First says that this is the first page, which is live.
	Older string
	First bool
	// Several is what may be done with those that are selected.
	Several several
	// Live is where to listen for changes.
	Live string
}

// runsFilter selects runs. Each field is empty if it selects nothing.
type runsFilter struct{ State, Series, Label string }

// IsSet says whether it selects anything.
func (f runsFilter) IsSet() bool { return f != runsFilter{} }

// States are what can be chosen.
func (runsFilter) States() []state {
	var all []state
	for _, name := range []string{"Pending", "InProgress", "Passed", "Failed", "Error", "TimedOut", "Cancelled"} {
		all = append(all, state{states[name].Word, name})
	}
	return all
}

// runRow is a row of the list.
type runRow struct {
	web.Run
	Progress *web.Progress
}

func (v *visit) runs() error {
	if err := v.lookAround(); err != nil {
		return err
	}
	view := runsView{
		Filter: runsFilter{v.r.FormValue("state"), v.r.FormValue("series"), v.r.FormValue("label")},
		First:  v.r.FormValue("after") == "",
	}
	query, ok := v.namespaces.query()
	if !ok {
		return v.show(http.StatusOK, "runs", "Runs", view)
	}
	view.Filter.add(query)
	if view.First {
		view.Live = "/live?" + query.Encode()
	}
	query.Set("limit", "50")
	if after := v.r.FormValue("after"); after != "" {
		query.Set("after", after)
	}
	var list web.RunList
	if err := v.get(&list, query, "/runs"); err != nil {
		return err
	}
	for _, run := range list.Items {
		view.Rows = append(view.Rows, runRow{run.Run, run.Progress})
	}
	var err error
	if view.Several, err = v.severalOf(view.Rows); err != nil {
		return err
	}
	if list.Next != "" {
		older := v.r.URL.Query()
		older.Set("after", list.Next)
		view.Older = "/?" + older.Encode()
	}
	return v.show(http.StatusOK, "runs", "Runs", view)
}

// add adds to the parameters of the API.
func (f runsFilter) add(query url.Values) {
	switch f.State {
	case "":
	case "Pending", "InProgress":
		query.Set("phase", f.State)
	default:
		query.Set("verdict", f.State)
	}
	for name, value := range map[string]string{"series": f.Series, "label": f.Label} {
		if value != "" {
			query.Set(name, value)
		}
	}
}
