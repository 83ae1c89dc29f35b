package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/web"
)

// How many failed cases, cases and artifacts the page of a run shows at once.
const (
	failuresShown  = 20
	casesShown     = 50
	artifactsShown = 100
)

// runView is the page of a run.
type runView struct {
	Details web.RunDetails
	Actions runActions
	// Attempt is the one that is shown; nil if there has been none.
	Attempt *web.Attempt
	Params  []named
	Labels  []named
	// Failures are the failed cases of the attempt, More says that there are more.
	Failures []web.Case
	More     bool
	// Cases are all cases of the attempt of an outcome, a page of them, and Next is the address of the page that follows.
	Cases   []web.Case
	Outcome string
	First   bool
	Next    string
	// Artifacts are the files. NoArtifacts says why none are shown.
	Artifacts   web.ArtifactList
	NoArtifacts string
	// Missing says what is not kept, and why.
	Missing []string
	// Counts are of the run, or else of the attempt; nil if there are none.
	Counts *web.Counts
	// Object is the TestRun as YAML.
	Object   string
	Timeline template.HTML
	// Turn is how many others are in its queue while it waits; nil if it does not wait in one.
	Turn *turn
	// Live is where to listen for changes; empty if none will come.
	Live string
}

// named is a value with its name.
type named struct{ Name, Value string }

// lingers is for how long the page of a run that has finished still listens: what the test left may come a little later.
const lingers = 2 * time.Minute

func (v *visit) run() error {
	if err := v.lookAround(); err != nil {
		return err
	}
	view := runView{Outcome: v.r.FormValue("outcome"), First: v.r.FormValue("after") == ""}
	uid := v.r.PathValue("uid")
	if err := v.get(&view.Details, nil, "/runs/%s", uid); err != nil {
		return err
	}
	run := view.Details.Run
	var err error
	if view.Actions, err = v.actionsOf(run); err != nil {
		return err
	}
	if view.Attempt, err = v.chosenAttempt(view.Details); err != nil {
		return err
	}
	if err := v.object(&view); err != nil {
		return err
	}
	if view.Attempt != nil {
		if err := v.attempt(&view); err != nil {
			return err
		}
	}
	if view.Turn, err = v.turnOf(run); err != nil {
		return err
	}
	view.conclude()
	view.Timeline = timelineOf(view.Details, time.Now())
	if run.Deleted == nil && (run.Finished == nil || time.Since(*run.Finished) < lingers) {
		// Not by its series: that of a rerun is known only once it is clear what it repeats.
		view.Live = "/live?" + url.Values{"namespace": {run.Namespace}, "uid": {run.UID}}.Encode()
	}
	return v.show(http.StatusOK, "run", stateOf(run).Word+": "+run.Name, view)
}

// conclude says what follows from what was read.
func (view *runView) conclude() {
	for _, counts := range []*web.Counts{&view.Details.Cases, countsOf(view.Attempt)} {
		if counts != nil && *counts != (web.Counts{}) && view.Counts == nil {
			view.Counts = counts
		}
	}
	view.Missing = append(missingOf(view.Attempt), view.Missing...)
	if view.Details.ReadOnly != "" {
		view.Missing = append(view.Missing, "The archive takes nothing more at the moment: "+view.Details.ReadOnly)
	}
}

// chosenAttempt is the attempt that the query names, or else the last one.
func (v *visit) chosenAttempt(details web.RunDetails) (*web.Attempt, error) {
	asked := v.r.FormValue("attempt")
	for i := len(details.Attempts) - 1; i >= 0; i-- {
		if attempt := &details.Attempts[i]; asked == "" || strconv.Itoa(int(attempt.Number)) == asked {
			return attempt, nil
		}
	}
	if asked == "" {
		return nil, nil
	}
	return nil, &problem{http.StatusNotFound, "This run has no such attempt", "Its page lists the attempts that it has had."}
}

// attempt reads what the page shows of the attempt.
func (v *visit) attempt(view *runView) error {
	uid, number := view.Details.UID, strconv.Itoa(int(view.Attempt.Number))
	var failed, all web.CaseList
	query := url.Values{"attempt": {number}, "outcome": {"Failed,Errored"}, "limit": {strconv.Itoa(failuresShown)}}
	if err := v.get(&failed, query, "/runs/%s/cases", uid); err != nil {
		return err
	}
	view.Failures, view.More = failed.Items, failed.Next != ""
	query = url.Values{"attempt": {number}, "limit": {strconv.Itoa(casesShown)}}
	for _, name := range []string{"outcome", "after"} {
		if value := v.r.FormValue(name); value != "" {
			query.Set(name, value)
		}
	}
	if err := v.get(&all, query, "/runs/%s/cases", uid); err != nil {
		return err
	}
	view.Cases = all.Items
	if all.Next != "" {
		next := url.Values{"attempt": {number}, "after": {all.Next}}
		if view.Outcome != "" {
			next.Set("outcome", view.Outcome)
		}
		view.Next = "?" + next.Encode() + "#all"
	}
	query = url.Values{"attempt": {number}, "limit": {strconv.Itoa(artifactsShown)}}
	err := v.get(&view.Artifacts, query, "/runs/%s/artifacts", uid)
	var refused *apiError
	if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
		view.NoArtifacts, err = refused.Detail, nil
	}
	return err
}

// object reads what only the whole object says.
func (v *visit) object(view *runView) error {
	run := view.Details.Run
	var object map[string]any
	err := v.get(&object, nil, "/runs/%s/object", run.UID)
	var refused *apiError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		view.Missing, err = append(view.Missing, "The object is not kept: the server has only heard of the run by what was pushed."), nil
	}
	if err != nil {
		return err
	}
	if object != nil {
		text, err := yaml.Marshal(object)
		if err != nil {
			return fmt.Errorf("the object of run %s: %w", run.UID, err)
		}
		view.Object = string(text)
	}
	var typed v1alpha1.TestRun
	if text, err := json.Marshal(object); err == nil && json.Unmarshal(text, &typed) == nil {
		for _, param := range typed.Spec.Params {
			if param.Value != nil {
				view.Params = append(view.Params, named{param.Name, *param.Value})
			}
		}
	}
	view.Labels = sorted(run.Labels)
	if run.Deleted != nil {
		return nil
	}
	view.Actions.Commands = append(view.Actions.Commands, command{"See its state and its events", kubectl(run.Namespace, "describe", "testrun", run.Name)})
	if view.Attempt != nil && view.Attempt.Pod != "" {
		view.Actions.Commands = append(view.Actions.Commands, command{"Read its output", kubectl(run.Namespace, "logs", view.Attempt.Pod)})
	}
	return nil
}

func countsOf(attempt *web.Attempt) *web.Counts {
	if attempt == nil {
		return nil
	}
	return &attempt.Cases
}

func sorted(values map[string]string) (all []named) {
	for name, value := range values {
		all = append(all, named{name, value})
	}
	slices.SortFunc(all, func(a, b named) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// runNamed leads to the newest run of a name.
func (v *visit) runNamed() error {
	var run web.RunDetails
	if err := v.get(&run, nil, "/namespaces/%s/runs/%s", v.r.PathValue("namespace"), v.r.PathValue("name")); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, "/runs/"+url.PathEscape(run.UID), http.StatusFound)
	return nil
}
