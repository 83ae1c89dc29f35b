package kubectl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// objectFormats are those in which objects are printed.
var objectFormats = []string{"json", "yaml", "name"}

// addOutput adds the flag --output, which takes the formats.
func addOutput(command *cobra.Command, into *string, formats ...string) {
	command.Flags().StringVarP(into, "output", "o", "", "Output format: "+strings.Join(formats, ", "))
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	before := command.PreRunE
	command.PreRunE = func(cmd *cobra.Command, args []string) error {
		if *into != "" && !slices.Contains(formats, *into) {
			return usage("%s", sentences(fmt.Sprintf("-o takes %s, and not %q", strings.Join(formats, ", "), *into), didYouMean(*into, formats)))
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

// print prints an object, or a list of objects.
func (a *app) print(format string, object runtime.Object) error {
	var printer printers.ResourcePrinter
	switch format {
	case "json":
		printer = &printers.JSONPrinter{}
	case "yaml":
		printer = &printers.YAMLPrinter{}
	case "name":
		printer = &printers.NamePrinter{}
		if meta.IsListType(object) {
			return meta.EachListItem(object, func(item runtime.Object) error { return printer.PrintObj(item, a.Out) })
		}
	default:
		return fmt.Errorf("there is no output format %q", format)
	}
	return printer.PrintObj(object, a.Out)
}

// listOf are runs as one object.
func listOf(runs []show.Run) *v1alpha1.TestRunList {
	list := &v1alpha1.TestRunList{Items: []v1alpha1.TestRun{}}
	list.APIVersion, list.Kind = v1alpha1.GroupVersion.String(), "TestRunList"
	for _, run := range runs {
		list.Items = append(list.Items, *run.TestRun)
	}
	return list
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of the plugin", Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(a.Out, a.version)
			return nil
		},
	}
}
