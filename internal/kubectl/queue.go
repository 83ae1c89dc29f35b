package kubectl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/remote"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
	"github.com/testrun-dev/testrun/internal/queueview"
)

func (a *app) queueCommand() *cobra.Command {
	command := &cobra.Command{
		Use: "queue", Short: "Pause and resume queues, and see who waits in them", Args: a.noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(
		a.suspendCommand("pause", "Pause a queue: no run starts, and those that run go on", true, "paused", "was paused already"),
		a.suspendCommand("resume", "Resume a queue: runs start as it is their turn", false, "resumed", "was not paused"),
		a.topCommand(),
	)
	return command
}

func (a *app) suspendCommand(use, short string, suspend bool, said, before string) *cobra.Command {
	return &cobra.Command{
		Use: use + " QUEUE", Short: short, Example: "  kubectl testrun queue " + use + " browsers",
		Args: exactly(1, "the name of a TestQueue"), ValidArgsFunction: first(a.completeQueues),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, names, err := a.with(testQueues, args)
			if err != nil {
				return err
			}
			name, queue := names[0], &v1alpha1.TestQueue{}
			if err := c.get(cmd.Context(), queue, testQueues, "", name); err != nil {
				return c.noQueue(cmd.Context(), err, "get", name)
			}
			did := said
			if suspend == (queue.Spec.Suspend != nil && *queue.Spec.Suspend) {
				did = before
			} else if err := c.patch(cmd.Context(), queue, testQueues, "", name, map[string]any{"spec": map[string]any{"suspend": suspend}}); err != nil {
				return c.noQueue(cmd.Context(), err, "patch", name)
			}
			fmt.Fprintf(c.Out, "testqueue.testrun.dev/%s %s\n", name, did)
			return nil
		},
	}
}

func (c *cluster) noQueue(ctx context.Context, err error, verb, name string) error {
	if !apierrors.IsNotFound(err) || isUnknownResource(err) {
		return c.explain(ctx, err, asked{verb, testQueues, name, ""})
	}
	if name == v1alpha1.DefaultQueue {
		return fmt.Errorf("the queue default works without an object, and then nothing of it can be set: create a TestQueue of that name first")
	}
	names, err := c.names(ctx, testQueues, "")
	if err != nil {
		return c.explain(ctx, err, asked{"list", testQueues, "", ""})
	}
	return errors.New(sentences(fmt.Sprintf("there is no TestQueue %q", name), didYouMean(name, names), "There are: "+listed(names)))
}

func (a *app) topCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use: "top [QUEUE]", Short: "Show how full the queues are, or who is next in one",
		Long: `Show how full the queues are, or who is next in one.

The operator says it, to those who may get its path /queues: the ClusterRole testrun-metrics-reader allows it. Everybody else
is told what the objects say: the numbers may be seconds old, and your waiting runs are in the order of their creation.`,
		Example: "  kubectl testrun queue top\n  kubectl testrun queue top browsers",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("%s takes the name of one TestQueue, or none. %[1]s --help shows examples", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: first(a.completeQueues),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, names, err := a.with(testQueues, args)
			if err != nil {
				return err
			}
			name := strings.Join(names, "")
			queues, err := c.queues(cmd.Context(), name)
			if err != nil {
				return err
			}
			if output != "" {
				return c.print(output, queueList(queues))
			}
			if len(queues) == 0 {
				c.note("There are no TestQueues: every run starts when it is created.")
				return nil
			}
			look(c.Out).Queues(c.Out, queues, c.now())
			if name != "" {
				return c.next(cmd.Context(), queues[0])
			}
			return nil
		},
	}
	addOutput(command, &output, objectFormats...)
	return command
}

func queueList(queues []show.Queue) *v1alpha1.TestQueueList {
	list := &v1alpha1.TestQueueList{Items: []v1alpha1.TestQueue{}}
	list.APIVersion, list.Kind = v1alpha1.GroupVersion.String(), "TestQueueList"
	for _, queue := range queues {
		if queue.Object != nil {
			queue.Object.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TestQueue"}
			queue.Object.ManagedFields = nil
			list.Items = append(list.Items, *queue.Object)
		}
	}
	return list
}

// queues are all queues, or that of the name: as the operator says, or else as their objects do.
func (c *cluster) queues(ctx context.Context, name string) ([]show.Queue, error) {
	all := map[string]*show.Queue{}
	notSeen := c.list(ctx, testQueues, "", metav1.ListOptions{}, func() runtime.Object { return &v1alpha1.TestQueueList{} }, func(page runtime.Object) error {
		items := page.(*v1alpha1.TestQueueList).Items
		for i := range items {
			all[items[i].Name] = &show.Queue{Name: items[i].Name, Object: &items[i]}
		}
		return nil
	})
	if notSeen != nil && !apierrors.IsForbidden(notSeen) {
		return nil, c.explain(ctx, notSeen, asked{"list", testQueues, "", ""})
	}
	notAsked := c.askOperator(ctx, name, all)
	if notSeen != nil && notAsked != nil {
		return nil, c.explain(ctx, notSeen, asked{"list", testQueues, "", ""})
	}
	if notAsked != nil {
		c.note("These are what the objects say, and may be seconds old: %v.", notAsked)
	}
	var queues []show.Queue
	for _, queue := range all {
		if name == "" || queue.Name == name {
			queues = append(queues, *queue)
		}
	}
	slices.SortFunc(queues, func(x, y show.Queue) int { return strings.Compare(x.Name, y.Name) })
	if name != "" && len(queues) == 0 {
		return nil, c.noQueue(ctx, apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource(testQueues).GroupResource(), name), "get", name)
	}
	return queues, nil
}

// askOperator adds what the operator says.
func (c *cluster) askOperator(ctx context.Context, name string, all map[string]*show.Queue) error {
	operator, err := remote.OpenOperator(ctx, c.remote())
	if err != nil {
		return err
	}
	var live []queueview.Queue
	if name == "" {
		live, err = operator.Queues(ctx)
	} else if one, oneErr := operator.Queue(ctx, name); oneErr == nil && one != nil {
		live = []queueview.Queue{*one}
	} else {
		err = oneErr
	}
	for i := range live {
		if all[live[i].Name] == nil {
			all[live[i].Name] = &show.Queue{Name: live[i].Name}
		}
		all[live[i].Name].Live = &live[i]
	}
	return err
}

// next shows the runs that wait in the queue.
func (c *cluster) next(ctx context.Context, queue show.Queue) error {
	var waiting []queueview.Run
	if queue.Live != nil {
		waiting = queue.Live.Next
	} else {
		runs, err := c.runs(ctx, selection{namespace: c.namespace, queue: queue.Name, states: []string{string(v1alpha1.PhasePending)}})
		if err != nil {
			return err
		}
		slices.Reverse(runs)
		for i, run := range runs {
			waiting = append(waiting, queueview.Run{
				Namespace: run.Namespace, Name: run.Name, Position: i + 1, Reason: show.Reason(run.TestRun), Message: show.Message(run.TestRun),
			})
		}
	}
	if len(waiting) == 0 {
		c.note("No run waits in it.")
		return nil
	}
	fmt.Fprintln(c.Out)
	look(c.Out).Next(c.Out, waiting)
	return nil
}
