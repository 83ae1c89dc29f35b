package kubectl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// objectFormats are those in which objects are printed. Beside them there are kubectl's templates.
var objectFormats = []string{"json", "yaml", "name"}

// templates are kubectl's flags -o jsonpath=… and -o go-template=….
var templates = genericclioptions.NewKubeTemplatePrintFlags()

// isTemplate says whether the format is a template that objects can be printed with.
func isTemplate(format string, formats []string) bool {
	name, _, has := strings.Cut(format, "=")
	return has && slices.Contains(formats, "name") && slices.Contains(templates.AllowedFormats(), name)
}

// addOutput adds the flag --output, which takes the formats.
func addOutput(command *cobra.Command, into *string, formats ...string) {
	command.Flags().StringVarP(into, "output", "o", "", "Output format: "+strings.Join(formats, ", "))
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	before := command.PreRunE
	command.PreRunE = func(cmd *cobra.Command, args []string) error {
		if isTemplate(*into, formats) {
			if _, err := templates.ToPrinter(*into); err != nil {
				return usage("-o %s cannot be read: %w", *into, err)
			}
		} else if *into != "" && !slices.Contains(formats, *into) {
			return usage("%s", sentences(fmt.Sprintf("-o takes %s, and not %q", strings.Join(formats, ", "), *into), didYouMean(*into, formats)))
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

// print prints an object, or a list of objects. What is printed after another object is separated from it.
func (a *app) print(format string, object runtime.Object) error {
	if a.printer == nil {
		switch format {
		case "json":
			a.printer = &printers.JSONPrinter{}
		case "yaml":
			a.printer = &printers.YAMLPrinter{}
		case "name":
			a.printer = &printers.NamePrinter{}
		default:
			var err error
			if a.printer, err = templates.ToPrinter(format); err != nil {
				return err
			}
		}
	}
	if format == "name" && meta.IsListType(object) {
		return meta.EachListItem(object, func(item runtime.Object) error { return a.printer.PrintObj(item, a.Out) })
	}
	return a.printer.PrintObj(object, a.Out)
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
