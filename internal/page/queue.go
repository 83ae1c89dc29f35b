package page

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/page/picture"
	"github.com/testrun-dev/testrun/internal/web"
)

// oneQueueView is the page of a queue.
type oneQueueView struct {
	queueView
	Depth template.HTML
	// Peak is how many runs waited at the most, Whole that all runs of the time were looked at.
	Peak  int64
	Whole bool
	// Hidden says that the TestQueue is not shown, since they may not see it.
	Hidden bool
	Live   string
}

func (v *visit) queue() error {
	if err := v.lookAround(); err != nil {
		return err
	}
	name := v.r.PathValue("name")
	view := oneQueueView{queueView: queueView{Name: name}}
	object := &v1alpha1.TestQueue{}
	err := v.fetchObject(object, testQueues, "", name)
	switch {
	case err == nil:
		view.Object = object
	case apierrors.IsForbidden(err):
		view.Hidden = true
	case !apierrors.IsNotFound(err):
		return err
	}
	runs, err := v.runsInQueues(name)
	if err != nil {
		return err
	}
	for _, run := range runs.Items {
		view.add(run)
	}
	if view.Object == nil && len(view.Runs) == 0 && name != v1alpha1.DefaultQueue {
		return &problem{http.StatusNotFound, "There is no such queue that you may see", "Either there is no TestQueue of this name, or none of your runs is in it now."}
	}
	view.Missing = view.Object == nil && !view.Hidden && name != v1alpha1.DefaultQueue
	if err := v.finish(&view.queueView); err != nil {
		return err
	}
	if query, ok := v.namespaces.query(); ok {
		if err := v.addDepth(&view, query); err != nil {
			return err
		}
		query.Set("queue", name)
		view.Live = "/live?" + query.Encode()
	}
	return v.show(http.StatusOK, "queue", "Queue "+name, view)
}

func (v *visit) addDepth(view *oneQueueView, query url.Values) error {
	var depth web.Depth
	if err := v.get(&depth, query, "/queues/%s/depth", view.Name); err != nil {
		return err
	}
	chart := picture.Chart{
		Label: "How many runs waited and ran in the queue " + view.Name + " in the last 24 hours", Lines: []string{"Waiting", "Running"}, Steps: true,
		Format: func(runs float64) string { return strconv.FormatFloat(runs, 'f', -1, 64) },
		Top:    picture.CountTop,
		When:   func(t time.Time) string { return t.UTC().Format("15:04 UTC") },
	}
	for _, step := range depth.Steps {
		view.Peak = max(view.Peak, step.Waiting)
		chart.Points = append(chart.Points, picture.Point{At: step.From, Values: []float64{float64(step.Waiting), float64(step.Running)}})
	}
	view.Whole, view.Depth = depth.Whole, chart.Draw()
	return nil
}

// rulesOf says in words what the spec of a queue says.
func rulesOf(spec v1alpha1.TestQueueSpec) []string {
	var rules []string
	add := func(is bool, text string, values ...any) {
		if is {
			rules = append(rules, fmt.Sprintf(text, values...))
		}
	}
	add(spec.MaxRunning > 0, "%d at once", spec.MaxRunning)
	add(spec.MaxRunning == 0, "any number at once")
	add(spec.MaxRunningPerNamespace > 0, "%d of one namespace at once", spec.MaxRunningPerNamespace)
	add(spec.MaxPending > 0, "%d may wait", spec.MaxPending)
	add(spec.MaxPendingPerNamespace > 0, "%d of one namespace may wait", spec.MaxPendingPerNamespace)
	per := "1 min"
	if spec.StartRate.Per != nil {
		per = wordOf(*spec.StartRate.Per)
	}
	add(spec.StartRate.Starts > 0, "%d starts in %s", spec.StartRate.Starts, per)
	add(len(spec.Namespaces) > 0, "only runs of %s", listed(spec.Namespaces))
	var weights []string
	for _, w := range spec.Weights {
		weights = append(weights, fmt.Sprintf("%s %d", w.Namespace, w.Weight))
	}
	add(len(weights) > 0, "starts are shared by weight: %s, others 1", listed(weights))
	if spec.Priority != nil {
		add(true, "priority %d, unless a run has its own", *spec.Priority)
	}
	if spec.MaxPriority != nil {
		add(true, "priorities count up to %d", *spec.MaxPriority)
	}
	if spec.AgingInterval != nil {
		add(true, "each %s of waiting adds 1 to the priority", wordOf(*spec.AgingInterval))
	}
	return rules
}

func wordOf(d v1alpha1.PositiveDuration) string {
	return strings.TrimSuffix(duration(d.Duration), " 00 s")
}

// listed are some of the names, and how many there are besides.
func listed(names []string) string {
	const most = 8
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
