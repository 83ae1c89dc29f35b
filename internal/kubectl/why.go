package kubectl

import (
	"context"

	"github.com/spf13/cobra"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/remote"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "why RUN", Short: "Say what a run waits for, or why it ended as it did, and what to do",
		Long: `Say what a run waits for and what would let it go, or why it ended as it did, and what to do about it.

The position in a queue comes from the operator. It tells it to those who may get its path /queues: the ClusterRole
testrun-metrics-reader allows it. Everybody else is told what the object says.`,
		Example: "  kubectl testrun why checkout-x7k2p",
		Args:    exactly(1, "the name of a run"), ValidArgsFunction: first(a.completeRuns(nil)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, run, err := a.withRun(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			look(c.Out).Why(c.Out, c.why(cmd.Context(), run), c.now())
			return nil
		},
	}
}

// why asks whoever knows more of the run than its object says.
func (c *cluster) why(ctx context.Context, run show.Run) show.Why {
	why := show.Why{Run: run, Named: c.named(run.Name)}
	switch {
	case run.Gone != nil:
	case show.WaitsForItsTurn(run.TestRun):
		c.askForTurn(ctx, &why)
	case show.State(run.TestRun) == string(v1alpha1.PhaseInProgress):
		c.askHowFar(ctx, &why)
	}
	const most = 5
	for _, failed := range show.CasesOf(run).Cases {
		if failed.Failed() && len(why.Cases) < most {
			why.Cases = append(why.Cases, failed)
		}
	}
	return why
}

// askForTurn asks the operator when it is the run's turn, and the cluster about its queue.
func (c *cluster) askForTurn(ctx context.Context, why *show.Why) {
	name := show.QueueOf(why.Run.TestRun)
	why.Queue.Name = name
	queue := &v1alpha1.TestQueue{}
	if err := c.get(ctx, queue, testQueues, "", name); err == nil {
		why.Queue.Object = queue
	}
	operator, err := remote.OpenOperator(ctx, c.remote())
	if err == nil {
		if why.Waiting, err = operator.Run(ctx, name, why.Run.Namespace, why.Run.Name); err == nil {
			why.Queue.Live, err = operator.Queue(ctx, name)
		}
	}
	if err != nil {
		why.NoAnswer = err.Error() + "."
	}
}

// askHowFar asks the archive how far the test is.
func (c *cluster) askHowFar(ctx context.Context, why *show.Why) {
	archive, err := c.openArchive(ctx)
	if err != nil {
		return
	}
	kept, err := archive.Run(ctx, why.Run.Namespace, why.Run.Name)
	if err != nil || kept.UID != string(why.Run.UID) || len(kept.Attempts) == 0 {
		return
	}
	if p := kept.Attempts[len(kept.Attempts)-1].Progress; p != nil {
		why.Run.Progress = &show.Progress{Done: p.Done, Failed: p.Failed, Total: p.Total}
	}
}
