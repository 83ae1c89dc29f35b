package kubectl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/remote"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// run is the run of that name: from the cluster, or from the archive if it is gone.
func (c *cluster) run(ctx context.Context, name string) (show.Run, error) {
	run := &v1alpha1.TestRun{}
	err := c.get(ctx, run, testRuns, c.namespace, name)
	if !apierrors.IsNotFound(err) || isUnknownResource(err) {
		setKind(run)
		return show.Run{TestRun: run}, c.explain(ctx, err, asked{"get", testRuns, name, c.namespace})
	}
	gone, notKept := c.goneRun(ctx, name)
	if notKept != nil {
		return show.Run{}, c.noSuchRun(ctx, name, notKept)
	}
	c.note("Run %s is not in the cluster any more; this is what the archive has of it.", name)
	return gone, nil
}

// here is the run of that name, which has to be in the cluster: it is to be changed.
func (c *cluster) here(ctx context.Context, name string) (*v1alpha1.TestRun, error) {
	run := &v1alpha1.TestRun{}
	err := c.get(ctx, run, testRuns, c.namespace, name)
	if !apierrors.IsNotFound(err) || isUnknownResource(err) {
		setKind(run)
		return run, c.explain(ctx, err, asked{"get", testRuns, name, c.namespace})
	}
	if _, notKept := c.goneRun(ctx, name); notKept != nil {
		return nil, c.noSuchRun(ctx, name, notKept)
	}
	return nil, fmt.Errorf("run %s is not in the cluster any more: what it said is kept, and nothing can be done with it", name)
}

// goneRun is a run that the archive has.
func (c *cluster) goneRun(ctx context.Context, name string) (show.Run, error) {
	archive, err := c.openArchive(ctx)
	if err != nil {
		return show.Run{}, err
	}
	kept, err := archive.Run(ctx, c.namespace, name)
	if err != nil {
		return show.Run{}, err
	}
	run, err := archive.Object(ctx, kept.UID)
	if err != nil {
		return show.Run{}, err
	}
	setKind(run)
	deleted := c.now()
	if kept.Deleted != nil {
		deleted = *kept.Deleted
	}
	return show.Run{TestRun: run, Gone: &deleted}, nil
}

// noSuchRun says that there is no run of that name, whether it may have been another one, and why the archive was not asked.
func (c *cluster) noSuchRun(ctx context.Context, name string, notKept error) error {
	names, err := c.names(ctx, testRuns, c.namespace)
	if err != nil {
		names = nil
	}
	there, kept := "", ""
	if elsewhere := c.elsewhere(ctx, testRuns, name); elsewhere != "" {
		there = "There is one in namespace " + elsewhere + ": add -n " + elsewhere
	}
	var missing *remote.NotInstalledError
	switch {
	case remote.IsNotFound(notKept):
		kept = "The archive has none of that name either, or none that you may see"
	case errors.As(notKept, &missing):
		kept = fmt.Sprintf("If it was deleted, nobody knows more of it: %s", missing)
	case errors.Is(notKept, errArchiveOff):
		kept = "If it was deleted, the archive may have it: leave out --archive=none"
	default:
		kept = fmt.Sprintf("If it was deleted, the archive may have it, and could not be asked: %s", notKept)
	}
	return errors.New(sentences(fmt.Sprintf("there is no run %q in namespace %s", name, c.namespace), didYouMean(name, names), there, kept))
}

// elsewhere is another namespace that has an object of that name; empty if none has, or if that may not be seen.
func (c *cluster) elsewhere(ctx context.Context, resource, name string) string {
	heads, err := c.heads(ctx, resource, "", name)
	if err != nil {
		return ""
	}
	i := slices.IndexFunc(heads, func(h metav1.ObjectMeta) bool { return h.Namespace != c.namespace })
	if i < 0 {
		return ""
	}
	return heads[i].Namespace
}

// setKind says of what kind the object is: a client leaves that out.
func setKind(run *v1alpha1.TestRun) {
	run.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TestRun"}
	run.ManagedFields = nil
}

// selection says which runs are meant.
type selection struct {
	// namespace is empty for all.
	namespace                   string
	labels, fields, test, queue string
	states, names               []string
	// limit is how many of the archive are shown.
	limit int
}

// options are what the API server selects by.
func (s selection) options() metav1.ListOptions {
	options := metav1.ListOptions{LabelSelector: s.labels, FieldSelector: s.fields}
	if len(s.names) == 1 {
		options.FieldSelector = strings.TrimPrefix(s.fields+",metadata.name="+s.names[0], ",")
	}
	return options
}

// takes says whether the selection takes a run, by what the API server cannot select. The Test of a rerun is known by its status alone.
func (s selection) takes(run *v1alpha1.TestRun) bool {
	return (len(s.states) == 0 || slices.Contains(s.states, show.State(run))) &&
		(len(s.names) == 0 || slices.Contains(s.names, run.Name)) &&
		(s.test == "" || show.TestOf(run) == s.test) &&
		(s.queue == "" || show.QueueOf(run) == s.queue)
}

// runs are those that are selected, the newest first.
func (c *cluster) runs(ctx context.Context, s selection) ([]show.Run, error) {
	found := newFollowed()
	if _, err := c.listAll(ctx, s, found); err != nil {
		return nil, c.explain(ctx, err, asked{"list", testRuns, "", s.namespace})
	}
	return found.sorted(), nil
}

func sortNewest(runs []show.Run) {
	slices.SortStableFunc(runs, func(x, y show.Run) int {
		if d := y.CreationTimestamp.Compare(x.CreationTimestamp.Time); d != 0 {
			return d
		}
		return strings.Compare(x.Namespace+"/"+x.Name, y.Namespace+"/"+y.Name)
	})
}

func timeOf(t *time.Time) *metav1.Time {
	if t == nil {
		return nil
	}
	return &metav1.Time{Time: *t}
}

// archivedRuns are those of the archive that are selected, also those that are gone. more says that there are others.
func (c *cluster) archivedRuns(ctx context.Context, s selection) (runs []show.Run, more bool, err error) {
	archive, err := c.openArchive(ctx)
	if err != nil {
		return nil, false, err
	}
	query := url.Values{}
	for name, value := range map[string]string{"series": s.test, "queue": s.queue, "label": s.labels} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(s.states) > 0 {
		query.Set("state", strings.Join(s.states, ","))
	}
	kept, more, err := archive.Runs(ctx, s.namespace, query, s.limit)
	if err != nil {
		return nil, false, err
	}
	for _, k := range kept {
		runs = append(runs, runOf(k))
	}
	return runs, more, nil
}

// runOf is what the archive lists of a run, as a TestRun.
func runOf(k remote.ArchivedRun) show.Run {
	run := &v1alpha1.TestRun{}
	run.Namespace, run.Name, run.UID = k.Namespace, k.Name, types.UID(k.UID)
	run.CreationTimestamp = metav1.NewTime(k.Created)
	run.Status.Test, run.Status.Queue = k.Test, k.Queue
	run.Status.Phase, run.Status.Verdict = v1alpha1.Phase(k.Phase), v1alpha1.Verdict(k.Verdict)
	if k.Flaky {
		run.Status.Flaky = &k.Flaky
	}
	run.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Reason: k.Reason, Message: k.Message}}
	run.Status.StartTime, run.Status.FinishTime = timeOf(k.Started), timeOf(k.Finished)
	counts := k.Cases
	if total := counts.Passed + counts.Failed + counts.Errored + counts.Skipped; total > 0 {
		run.Status.Results = v1alpha1.Results{
			Summary: fmt.Sprintf("%d/%d", counts.Passed, total), Total: total, Passed: counts.Passed, Failed: counts.Failed,
			Errored: counts.Errored, Skipped: counts.Skipped, Flaky: counts.Flaky,
		}
	}
	shown := show.Run{TestRun: run, Gone: k.Deleted}
	if k.Progress != nil {
		shown.Progress = &show.Progress{Done: k.Progress.Done, Failed: k.Progress.Failed, Total: k.Progress.Total}
	}
	return shown
}
