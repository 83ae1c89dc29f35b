package kubectl

import (
	"github.com/spf13/cobra"

	"github.com/testrun-dev/testrun/internal/newrun"
)

func (a *app) rerunCommand() *cobra.Command {
	next := &then{}
	command := &cobra.Command{
		Use:     "rerun RUN",
		Short:   "Repeat a run: the same test, params, timeouts and retries",
		Long:    "Repeat a run: create one that asks for what that one asked for. Its Test is taken as it is now.",
		Example: "  kubectl testrun rerun checkout-x7k2p --follow",
		Args:    exactly(1, "the name of a run"), ValidArgsFunction: first(a.completeRuns(nil)),
		PreRunE: next.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, names, err := a.with(testRuns, args)
			if err != nil {
				return err
			}
			found, err := c.here(cmd.Context(), names[0])
			if err != nil {
				return err
			}
			made, err := c.create(cmd.Context(), newrun.Repeating(found), false)
			if err != nil {
				return c.explain(cmd.Context(), err, asked{"create", testRuns, "", c.namespace})
			}
			return c.created(cmd.Context(), made, *next)
		},
	}
	next.addFlags(command)
	return command
}
