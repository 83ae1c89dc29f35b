package chart

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What kustomize deploys, the chart does too: whoever goes from one to the other finds the same.
func TestTheChartRendersWhatKustomizeBuilds(t *testing.T) {
	monitoring := []string{"--set=monitoring.serviceMonitor.enabled=true", "--api-versions=monitoring.coreos.com/v1/ServiceMonitor"}
	for name, test := range map[string]struct {
		args []string
		want []string // folders for kustomize, and files that kubectl applies
		less string   // what helm install makes by itself
	}{
		"by default":                 {nil, []string{"config/default"}, "Namespace /" + home},
		"with the namespace":         {set("namespace.create=true"), []string{"config/default"}, ""},
		"with the server":            {set("namespace.create=true", "server.enabled=true"), []string{"config/archive"}, ""},
		"with a server for a try":    {set("namespace.create=true", "server.enabled=true", "server.persistence.enabled=false"), []string{"config/archive-ephemeral"}, ""},
		"with Kueue":                 {set("namespace.create=true", "kueue.enabled=true"), []string{"config/default", "config/kueue"}, ""},
		"with Prometheus":            {append(set("namespace.create=true"), monitoring...), []string{"config/default", "config/prometheus"}, ""},
		"with the operator's policy": {set("namespace.create=true", "policies.operator=true"), []string{"config/default", "config/policies/operator.yaml"}, ""},
		"without the operator":       {set("manager.enabled=false", "server.enabled=true"), []string{"config/crd", "config/server"}, ""},
		"with its NetworkPolicy":     {set("namespace.create=true", "manager.networkPolicy.enabled=true"), []string{"config/default", "config/policies/network.yaml"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]object{}
			for _, source := range test.want {
				maps.Copy(want, built(t, source))
			}
			delete(want, test.less)
			got, _ := template(t, home, test.args...)
			for _, difference := range differencesOf(got, want) {
				t.Error(difference)
			}
			if len(want) < 12 {
				t.Errorf("there are only %d objects to compare", len(want))
			}
		})
	}
}

// A chart of a team's own may have this one as a part, with values for all of its parts, and leave it out.
func TestAsAPartOfAnotherChartItRendersTheSame(t *testing.T) {
	parent := t.TempDir()
	if err := os.CopyFS(filepath.Join(parent, "charts", "testrun"), os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	about := "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n" +
		"- name: testrun\n  version: 0.0.0\n  repository: oci://registry.example.com/charts\n  condition: testrun.enabled\n"
	if err := os.WriteFile(filepath.Join(parent, "Chart.yaml"), []byte(about), 0o600); err != nil {
		t.Fatal(err)
	}
	alone, _ := template(t, home, set("server.enabled=true")...)
	part, _ := templateOf(t, parent, home, set("testrun.enabled=true", "testrun.server.enabled=true", "global.team=shop")...)
	for _, difference := range differencesOf(part, alone) {
		t.Error(difference)
	}
	if got, _ := templateOf(t, parent, home, set("testrun.enabled=false")...); len(got) > 0 {
		t.Errorf("although it is left out, it renders %d objects", len(got))
	}
}

// Each namespace that is named has what config/jobtable builds for one.
func TestEachNamespaceGetsTheProgramForJobTables(t *testing.T) {
	without, _ := template(t, home)
	got, _ := template(t, home, jobtables("shop", "bank")...)
	maps.DeleteFunc(got, func(key string, _ object) bool { return without[key] != nil })
	want := map[string]object{}
	for _, namespace := range []string{"shop", "bank"} {
		maps.Copy(want, jobtableIn(t, namespace))
	}
	for _, difference := range differencesOf(got, want) {
		t.Error(difference)
	}
	if len(want) != 2*6 {
		t.Errorf("there are %d objects to compare, want six for each namespace", len(want))
	}
}

// jobtableIn is what kustomize builds for a namespace, as docs/job-table.md says.
func jobtableIn(t *testing.T, namespace string) map[string]object {
	t.Helper()
	folder := t.TempDir()
	shipped, err := filepath.Rel(folder, absolute(t, filepath.Join(root, "config", "jobtable")))
	if err != nil {
		t.Fatal(err)
	}
	kustomization := "namespace: " + namespace + "\nresources: [" + shipped + "]\n"
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	return built(t, folder)
}

// jobtables are values by which these namespaces get the program, with the Secret that config/jobtable names.
func jobtables(namespaces ...string) (args []string) {
	for i, namespace := range namespaces {
		args = append(args, set(fmt.Sprintf("jobtable.namespaces[%d].name=%s", i, namespace),
			fmt.Sprintf("jobtable.namespaces[%d].existingSecret=testrun-jobtable", i))...)
	}
	return args
}

// A comparison that finds nothing proves something only if it would find something.
func TestTheComparisonFindsDifferences(t *testing.T) {
	want := built(t, "config/default")
	got, _ := template(t, home, set("namespace.create=true", "manager.flags.concurrency=4", "crds.install=false")...)
	found := strings.Join(differencesOf(got, want), "\n")
	for _, difference := range []string{"--concurrency=4", "CustomResourceDefinition /testruns.testrun.dev is missing"} {
		if !strings.Contains(found, difference) {
			t.Errorf("the differences are %s, want %q in them", found, difference)
		}
	}
}

func set(values ...string) (args []string) {
	for _, value := range values {
		args = append(args, "--set="+value)
	}
	return args
}

// built is what kustomize builds of a folder, or what a file has that is applied as it is.
func built(t *testing.T, source string) map[string]object {
	t.Helper()
	path := source
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	if filepath.Ext(source) != ".yaml" {
		command := tool(t, "kustomize", "build", path)
		text, err := command.Output()
		if err != nil {
			t.Fatalf("kustomize build %s: %v", source, err)
		}
		return labelled(objectsOf(t, text))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return labelled(objectsOf(t, text))
}

// labelled gives the objects the label that all of the chart's have, and config/ gives to most.
func labelled(objects map[string]object) map[string]object {
	for _, of := range objects {
		metadata := of["metadata"].(object)
		if metadata["labels"] == nil {
			metadata["labels"] = object{}
		}
		metadata["labels"].(object)["app.kubernetes.io/name"] = "testrun"
	}
	return objects
}

// differencesOf are sentences, sorted.
func differencesOf(got, want map[string]object) (found []string) {
	for key := range want {
		if got[key] == nil {
			found = append(found, key+" is missing")
		}
	}
	for key, of := range got {
		if want[key] == nil {
			found = append(found, key+" is there, and kustomize does not make it")
			continue
		}
		found = append(found, differences(key, withoutHelms(of), withoutHelms(want[key]))...)
	}
	slices.Sort(found)
	return found
}

// withoutHelms is an object without what Helm adds, and with the arguments of its container sorted.
func withoutHelms(of object) object {
	metadata := maps.Clone(of["metadata"].(object))
	of = maps.Clone(of)
	of["metadata"] = metadata
	for field, names := range map[string][]string{
		"labels":      {"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"},
		"annotations": {"helm.sh/resource-policy"},
	} {
		values, _ := metadata[field].(object)
		values = maps.Clone(values)
		for _, name := range names {
			delete(values, name)
		}
		metadata[field] = values
		if len(values) == 0 {
			delete(metadata, field)
		}
	}
	if args, _ := at(of, "spec", "template", "spec", "containers", 0, "args").([]any); args != nil {
		slices.SortFunc(args, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	}
	return of
}

func differences(path string, got, want any) (found []string) {
	gotFields, isObject := got.(object)
	wantFields, too := want.(object)
	if !isObject || !too {
		if !reflect.DeepEqual(got, want) {
			found = append(found, fmt.Sprintf("%s is %v, and kustomize says %v", path, got, want))
		}
		return found
	}
	for name := range gotFields {
		found = append(found, differences(path+"."+name, gotFields[name], wantFields[name])...)
	}
	for name := range wantFields {
		if _, there := gotFields[name]; !there {
			found = append(found, fmt.Sprintf("%s.%s is not there, and kustomize says %v", path, name, wantFields[name]))
		}
	}
	return found
}
