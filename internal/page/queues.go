package page

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/web"
)

const (
	// maxInQueues is how many runs are looked at that wait or run, and maxShown how many of a queue the page of all queues shows.
	maxInQueues = "500"
	maxShown    = 5
)

// queueView is a queue, as far as whoever looks may see it.
type queueView struct {
	Name string
	// Object is the TestQueue; nil if there is none, or if they may not see it.
	Object *v1alpha1.TestQueue
	// Missing says that there is no such TestQueue, though runs wait in it.
	Missing bool
	// Rules are what its spec says, in words.
	Rules []string
	// Runs are those of their runs that wait or run in it, the newest first.
	Runs     []runRow
	Waiting  int
	Running  int
	Commands []command
	// MayChange says that they may pause and resume it.
	MayChange bool
}

// Suspended says that no run of it starts.
func (q queueView) Suspended() bool {
	return q.Object != nil && q.Object.Spec.Suspend != nil && *q.Object.Spec.Suspend
}

// Shown are the newest of its runs, and More how many there are besides.
func (q queueView) Shown() []runRow { return q.Runs[:min(len(q.Runs), maxShown)] }

// More is how many runs Shown leaves out.
func (q queueView) More() int { return len(q.Runs) - len(q.Shown()) }

// queuesView is the page of all queues.
type queuesView struct {
	Queues []*queueView
	// Own says that only the queues of their own runs are shown, since they may not list TestQueues.
	Own bool
	// More says that there are more runs than are looked at.
	More bool
}

func (v *visit) queues() error {
	if err := v.lookAround(); err != nil {
		return err
	}
	var view queuesView
	var list v1alpha1.TestQueueList
	err := v.listObjects(&list, testQueues, "", nil)
	if view.Own = apierrors.IsForbidden(err); err != nil && !view.Own {
		return err
	}
	all := map[string]*queueView{}
	for i := range list.Items {
		all[list.Items[i].Name] = &queueView{Name: list.Items[i].Name, Object: &list.Items[i]}
	}
	runs, err := v.runsInQueues("")
	if err != nil {
		return err
	}
	view.More = runs.Next != ""
	for _, run := range runs.Items {
		q := all[run.Queue]
		if q == nil {
			q = &queueView{Name: run.Queue, Missing: !view.Own && run.Queue != v1alpha1.DefaultQueue}
			all[run.Queue] = q
		}
		q.add(run)
	}
	for _, q := range all {
		if err := v.finish(q); err != nil {
			return err
		}
		view.Queues = append(view.Queues, q)
	}
	slices.SortFunc(view.Queues, func(x, y *queueView) int { return strings.Compare(x.Name, y.Name) })
	return v.show(http.StatusOK, "queues", "Queues", view)
}

// runsInQueues are the runs that wait or run, in a queue if it has a name. Runs that are gone do neither.
func (v *visit) runsInQueues(queue string) (web.RunList, error) {
	var list web.RunList
	query, ok := v.namespaces.query()
	if !ok {
		return list, nil
	}
	query.Set("state", "Pending,InProgress")
	query.Set("limit", maxInQueues)
	if queue != "" {
		query.Set("queue", queue)
	}
	err := v.get(&list, query, "/runs")
	list.Items = slices.DeleteFunc(list.Items, func(run web.ListedRun) bool { return run.Queue == "" || run.Deleted != nil })
	return list, err
}

// turn is how many of the runs of a queue that they may see have waited longer than a run, and how many run.
type turn struct {
	Queue           string
	Before, Running int64
}

// turnOf counts who is in the queue of a run that waits; nil if it does not wait in one. The queue itself also looks at priorities and fair
// shares, and at runs that they may not see.
func (v *visit) turnOf(run web.Run) (*turn, error) {
	if run.Phase != "Pending" || run.Queue == "" || run.Deleted != nil {
		return nil, nil
	}
	list, err := v.runsInQueues(run.Queue)
	found := &turn{Queue: run.Queue}
	for _, other := range list.Items {
		switch {
		case other.Phase != "Pending":
			found.Running++
		case other.UID != run.UID && other.Created.Before(run.Created):
			found.Before++
		}
	}
	return found, err
}

func (q *queueView) add(run web.ListedRun) {
	q.Runs = append(q.Runs, runRow{run.Run, run.Progress})
	if run.Phase == "Pending" {
		q.Waiting++
	} else {
		q.Running++
	}
}

// finish adds what can be done with the queue, and what its rules say.
func (v *visit) finish(q *queueView) error {
	if q.Object == nil {
		return nil
	}
	q.Rules = rulesOf(q.Object.Spec)
	may, err := v.may("patch", testQueues, "")
	if err != nil {
		var down *problem
		if !errors.As(err, &down) {
			return err
		}
	}
	q.MayChange = may
	q.Commands = []command{{"See the whole object", shell("kubectl", "get", "testqueue", q.Name, "--output=yaml")}}
	if may {
		does, suspend := "Pause", "true"
		if q.Suspended() {
			does, suspend = "Resume", "false"
		}
		q.Commands = append(q.Commands, command{does, shell("kubectl", "patch", "testqueue", q.Name, "--type=merge", `--patch={"spec":{"suspend":`+suspend+`}}`)})
	}
	return nil
}

// changeQueue pauses or resumes the queue that the path names.
func (v *visit) changeQueue() error {
	name, action := v.r.PathValue("name"), v.r.PathValue("action")
	text, suspend := "Queue "+name+" is paused: no run starts, and those that run go on.", true
	switch action {
	case "pause":
	case "resume":
		text, suspend = "Queue "+name+" goes on: runs start as it is their turn.", false
	default:
		return errNoPage
	}
	back := "/queues/" + url.PathEscape(name)
	if v.r.PostFormValue("all") != "" {
		back = "/queues"
	}
	err := v.patchObject(map[string]any{"spec": map[string]any{"suspend": suspend}}, nil, testQueues, "", name)
	v.auditOf(archive.AuditEntry{Action: action, Name: name, Result: "done"}, err)
	var refused *problem
	if errors.As(err, &refused) {
		return v.done(back, notice{Bad: true, Text: refused.Error()})
	}
	if err != nil {
		return err
	}
	return v.done(back, notice{Text: text})
}
