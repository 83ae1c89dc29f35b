package page

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

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

// runsFilter selects runs. Each field is empty if it selects nothing. A run is in one of the states.
type runsFilter struct {
	Series, Label, Name, Queue string
	In                         []string
}

func filterOf(query url.Values) runsFilter {
	f := runsFilter{Series: query.Get("series"), Label: query.Get("label"), Name: query.Get("name"), Queue: query.Get("queue")}
	for _, names := range query["state"] {
		for name := range strings.SplitSeq(names, ",") {
			if name != "" {
				f.In = append(f.In, name)
			}
		}
	}
	return f
}

// IsSet says whether it selects anything.
func (f runsFilter) IsSet() bool { return f.Series+f.Label+f.Name+f.Queue != "" || len(f.In) > 0 }

// State is what is selected of States.
func (f runsFilter) State() string { return strings.Join(f.In, ",") }

// Has says whether a state is selected.
func (f runsFilter) Has(state string) bool { return slices.Contains(f.In, state) }

// wants says whether a run is selected, as far as an event tells.
func (f runsFilter) wants(run web.Run) bool {
	return strings.HasPrefix(run.Name, f.Name) && (f.Queue == "" || f.Queue == run.Queue && run.Phase != "Finished") &&
		(len(f.In) == 0 || f.Has(run.Verdict) || run.Phase != "Finished" && f.Has(run.Phase))
}

// live are the parameters of the stream of events: some are for the API, and the rest is for wants.
func (f runsFilter) live(query url.Values) url.Values {
	query = maps.Clone(query)
	for name, value := range map[string]string{"series": f.Series, "name": f.Name, "queue": f.Queue} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(f.In) > 0 {
		query["state"] = f.In
	}
	return query
}

// States are what can be chosen.
func (runsFilter) States() []state {
	var all []state
	for _, name := range []string{"Pending", "InProgress", "Passed", "Failed", "Error", "TimedOut", "Cancelled"} {
		all = append(all, state{states[name].Word, name})
	}
	all = append(all, state{"Waits or runs", "Pending,InProgress"}, state{"Went wrong", "Failed,Error,TimedOut"})
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
		Filter: filterOf(v.r.URL.Query()),
		First:  v.r.FormValue("after") == "",
	}
	query, ok := v.namespaces.query()
	if !ok {
		return v.show(http.StatusOK, "runs", "Runs", view)
	}
	if view.First && view.Filter.Label == "" { // events have no labels
		view.Live = "/live?" + view.Filter.live(query).Encode()
	}
	view.Filter.add(query)
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
	if len(f.In) > 0 {
		query.Set("state", strings.Join(f.In, ","))
	}
	for name, value := range map[string]string{"series": f.Series, "label": f.Label, "name": f.Name, "queue": f.Queue} {
		if value != "" {
			query.Set(name, value)
		}
	}
}
