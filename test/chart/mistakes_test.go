package chart

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// mistake is what somebody types who is new to the chart, and what answers them.
type mistake struct {
	args string // of helm; values stand for --set of each
	says string
	// own is set if the words are Helm's, and not the chart's: docs/operating.md then says what to do.
	own bool
}

// Nothing of TestRun is in the cluster but the CRDs, which kubectl has made.
var beforeAnything = map[string]mistake{
	"a misspelt value":                {"install --set manager.replcas=2", "at '/manager': additional properties 'replcas' not allowed", true},
	"a misspelt flag":                 {"install --set manager.flags.concurency=4", "at '/manager/flags': additional properties 'concurency' not allowed", true},
	"a word for a number":             {"install --set manager.replicas=two", "at '/manager/replicas': got string, want integer", true},
	"a name that is none of three":    {"install --set manager.flags.runnerMount=volume", "at '/manager/flags/runnerMount': value must be one of 'auto', 'image-volume', 'init-container'", true},
	"fewer than none":                 {"install --set manager.replicas=-1", "at '/manager/replicas': minimum: got -1, want 0", true},
	"a flag that is at least 1":       {"install --set manager.flags.concurrency=0", "at '/manager/flags/concurrency': minimum: got 0, want 1", true},
	"a unit that is none":             {"install --set manager.resources.limits.memory=1GB", "at '/manager/resources/limits/memory': '1GB' does not match pattern '", true},
	"limit for limits":                {"install --set manager.resources.limit.memory=1Gi", "at '/manager/resources': additional properties 'limit' not allowed", true},
	"an image with its tag":           {"install --set manager.image.repository=registry.example.com/testrun:1.0", "at '/manager/image/repository': 'registry.example.com/testrun:1.0' does not match pattern '", true},
	"a level that is none":            {"install --set manager.flags.zapLogLevel=verbose", "at '/manager/flags/zapLogLevel': 'verbose' does not match pattern '", true},
	"a page without https":            {"install --set server.flags.pageUrl=tests.example.com", "at '/server/flags/pageUrl': 'tests.example.com' does not match pattern '", true},
	"a variable that is a number":     {"install --set manager.env[0].name=A --set manager.env[0].value=1", "at '/manager/env/0/value': got number, want string", true},
	"a port that is no rule":          {"install --set manager.networkPolicy.extraEgress[0].port=5432", "at '/manager/networkPolicy/extraEgress/0': additional properties 'port' not allowed", true},
	"another chart's values":          {"install --set image.tag=1.0", "at '': additional properties 'image' not allowed", true},
	"half of a login":                 {"install --set server.enabled=true --set server.flags.oidcIssuer=https://login.example.com", "it needs server.flags.oidcClientId, which is what the provider calls the server, and server.flags.pageUrl", false},
	"the other half of it":            {"install --set server.enabled=true --set server.oidc.existingSecret=oidc", "server.flags.oidcIssuer is not: set it to the address of the provider", false},
	"a namespace made twice":          {"install --set crds.install=false --set namespace.create=true", "namespace.create is true, and the namespace is there already", false},
	"a Secret's name alone":           {"install --set imagePullSecrets={registry}", "at '/imagePullSecrets/0': got string, want object", true},
	"a duration without a unit":       {"install --set manager.flags.queueGracePeriod=30", "manager.flags.queueGracePeriod is 30: it is a duration with a unit, such as 30s, 5m or 24h", false},
	"two operators that both work":    {"install --set manager.replicas=2 --set manager.flags.leaderElect=false", "Set manager.flags.leaderElect=true, or manager.replicas=1", false},
	"two servers with SQLite":         {"install --set server.enabled=true --set server.replicas=2", "Several need: PostgreSQL (server.database.existingSecret) and S3 (server.flags.blobs=s3://…)", false},
	"CRDs that kubectl made":          {"install", "To have this release take the CRDs over, with every Test and TestRun, add: --set adopt=true --take-ownership --force-conflicts", false},
	"a server without storage":        {"install --set adopt=true --set server.enabled=true", "the cluster has no default StorageClass: the pod would wait for ever. The cluster's StorageClasses are: none. Name one with server.persistence.storageClass, or set server.persistence.enabled=false", false},
	"a StorageClass that is none":     {"install --set adopt=true --set server.enabled=true --set server.persistence.storageClass=fast", "server.persistence.storageClass is fast, and the cluster has no such StorageClass. It has: none.", false},
	"a claim that does not exist":     {"install --set adopt=true --set server.enabled=true --set server.persistence.existingClaim=data", "namespace testrun-system has no PersistentVolumeClaim of that name: make it first", false},
	"no Prometheus operator":          {"install --set monitoring.serviceMonitor.enabled=true", "the cluster does not know the kind ServiceMonitor: install the Prometheus operator first, or set monitoring.serviceMonitor.enabled=false", false},
	"no cert-manager":                 {"install --set server.enabled=true --set server.tls.certManager.enabled=true --set server.tls.certManager.issuerRef.name=ours", "the cluster does not know the kind Certificate: install cert-manager first, or set server.tls.certManager.enabled=false", false},
	"nobody who signs":                {"install --set server.tls.certManager.enabled=true", "set server.tls.certManager.issuerRef.name to the name of an Issuer", false},
	"an alert that does not exist":    {"install --set monitoring.prometheusRule.disabled={TestRunSlow}", "names TestRunSlow, which is no alert of this chart. Those are: TestRunOperatorDown, ", false},
	"a cluster that is too old":       {"template --kube-version v1.30.0", "chart requires kubeVersion: >=1.31.0-0 which is incompatible with Kubernetes v1.30.0", true},
	"an address without its colon":    {"install --set manager.flags.metricsBindAddress=8443", "manager.flags.metricsBindAddress is 8443: it is an address with a port, such as :8443", false},
	"alerts about metrics turned off": {"template --set manager.flags.metricsBindAddress=0 --set monitoring.prometheusRule.enabled=true", "monitoring.prometheusRule.enabled is true, and manager.flags.metricsBindAddress=0 turns off what it needs", false},
	"a value set to null":             {"install --set manager.enabled=null", "The value manager.enabled is missing.", false},
	"nothing at all":                  {"install --set manager.enabled=false --set crds.install=false", "nothing is left to install. Name a namespace for the program jobtable, or leave manager.enabled true", false},
	"a part of no other chart":        {"template --set enabled=true", "What is installed is said by manager.enabled, server.enabled and jobtable.namespaces", false},
	"a policy without its operator":   {"install --set manager.enabled=false --set policies.operator=true", "policies.operator is true and manager.enabled is false: it is about the operator", false},

	"a namespace's name alone":         {"install --set jobtable.namespaces={shop}", "at '/jobtable/namespaces/0': got string, want object", true},
	"a misspelt field of a namespace":  {"install --set jobtable.namespaces[0].name=shop --set jobtable.namespaces[0].secret=databases", "at '/jobtable/namespaces/0': additional properties 'secret' not allowed", true},
	"job tables in no namespace":       {"install --set jobtable.namespaces[0].existingSecret=databases", "jobtable.namespaces[0] has no name: say which namespace has the application, as in jobtable.namespaces[0].name=shop", false},
	"job tables without a Secret":      {"install --set jobtable.namespaces[0].name=shop", "jobtable.namespaces[0] is the namespace shop, and names no Secret: set jobtable.namespaces[0].existingSecret", false},
	"a namespace twice":                {"install " + strings.Join(jobtables("shop", "shop"), " "), "jobtable.namespaces has shop twice: one program follows all JobTables of a namespace.", false},
	"a namespace that does not exist":  {"install --set adopt=true " + strings.Join(jobtables("shpo"), " "), "jobtable.namespaces has shpo, and the cluster has no such namespace: correct the name, or make it with kubectl create namespace shpo", false},
	"two programs that both ask":       {"install --set jobtable.replicas=2 --set jobtable.flags.leaderElect=false " + strings.Join(jobtables("shop"), " "), "Set jobtable.flags.leaderElect=true, or jobtable.replicas=1", false},
	"the program where kubectl put it": {"install --set adopt=false --set crds.install=false " + strings.Join(jobtables("applied"), " "), "The program jobtable is in namespace applied already, and Helm did not install it", false},

	"an upgrade of what is nowhere": {"upgrade", `"testrun" has no deployed releases`, true},
}

func TestAMistakeIsAnsweredByASentenceThatMendsIt(t *testing.T) {
	makeNamespace(t, home)
	makeNamespace(t, "applied")
	for _, of := range jobtableIn(t, "applied") {
		apply(t, of)
	}
	t.Run("before anything is installed", func(t *testing.T) { expectRefused(t, home, beforeAnything) })
	if output, err := helm(t, "list", "--namespace", home, "--short"); err != nil || output != "" {
		t.Errorf("helm lists %q (%v), want nothing: a refused install leaves nothing", output, err)
	}
	t.Run("where kustomize has installed", besideKustomize)
	t.Run("where a release is", besideARelease)
	t.Run("after an uninstall", afterAnUninstall)
}

// expectRefused makes each of the mistakes.
func expectRefused(t *testing.T, namespace string, mistakes map[string]mistake) {
	t.Helper()
	expectRefusedAs(t, apiserver.KubeConfig, namespace, mistakes)
}

func expectRefusedAs(t *testing.T, kubeconfig []byte, namespace string, mistakes map[string]mistake) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			output, err := helmAs(t, kubeconfig, command(namespace, mistake.args)...)
			if err == nil || !strings.Contains(output, mistake.says) {
				t.Errorf("helm %s says %s, want it refused with %q", mistake.args, output, mistake.says)
			}
			if mistake.own && !knows(string(page), mistake.says) {
				t.Errorf("docs/operating.md does not say what to do when Helm says %q", mistake.says)
			}
		})
	}
}

// command are the arguments of helm for the release testrun, or the one that is named first, as in "install other".
func command(namespace, args string) []string {
	words := strings.Fields(args)
	release := "testrun"
	rest := words[1:]
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "--") {
		release, rest = rest[0], rest[1:]
	}
	return append([]string{words[0], release, chart, "--namespace", namespace}, rest...)
}

// knows says whether a row of the page has what Helm says. In it, X stands for a word.
func knows(page, says string) bool {
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		found := true
		rest := says
		for part := range strings.SplitSeq(strings.Split(line, "`")[1], "X") {
			_, after, there := strings.Cut(rest, part)
			found = found && there
			rest = after
		}
		if found {
			return true
		}
	}
	return false
}

// besideKustomize is where somebody has deployed with kubectl apply -k before.
func besideKustomize(t *testing.T) {
	objects := built(t, "config/default")
	for _, of := range objects {
		apply(t, of)
	}
	expectRefused(t, home, map[string]mistake{
		"the same namespace": {"install", "Helm did not install it (kubectl or kustomize did). To have this release take it over, while runs go on, add: --set adopt=true --take-ownership --force-conflicts", false},
	})
	makeNamespace(t, "elsewhere")
	expectRefused(t, "elsewhere", map[string]mistake{
		"another namespace": {"install", "TestRun is in this cluster already, in namespace testrun-system, and Helm did not install it", false},
	})
	if output, err := helm(t, command(home, "install --set adopt=true --take-ownership --force-conflicts")...); err != nil {
		t.Fatalf("what the sentence says does not help: %s", output)
	}
	binding := &rbacv1.ClusterRoleBinding{}
	if err := apiserver.Client.Get(t.Context(), client.ObjectKey{Name: "testrun-manager"}, binding); err != nil {
		t.Fatal(err)
	}
	if owner := binding.Annotations["meta.helm.sh/release-name"]; owner != "testrun" {
		t.Errorf("the release owns the binding as %q, want testrun", owner)
	}
}

func besideARelease(t *testing.T) {
	expectRefused(t, home, map[string]mistake{
		"an install for the second time":   {"install", "cannot reuse a name that is still in use", true},
		"an upgrade with an unknown value": {"upgrade --set server.persistance.size=1Gi", "at '/server': additional properties 'persistance' not allowed", true},
	})
	if output, _ := helm(t, "history", "testrun", "--namespace", home); strings.Count(output, "\n") != 2 {
		t.Errorf("the history has another revision after an upgrade that was refused:\n%s", output)
	}
	makeNamespace(t, "elsewhere")
	expectRefused(t, "elsewhere", map[string]mistake{
		"a second operator": {"install second", "TestRun is in this cluster already, as release testrun in namespace testrun-system, and two operators would start more runs than a queue allows. " +
			"Change that one with helm upgrade, or uninstall it first: helm uninstall testrun --namespace testrun-system", false},
	})
	expectRefused(t, home, map[string]mistake{
		"a port that is none": {"upgrade --set manager.networkPolicy.enabled=true --set manager.networkPolicy.extraEgress[0].ports[0].port=99999", "server-side apply failed for object testrun-system/testrun-controller-manager", true},
	})
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "testrun-controller-manager"}}
	if err := apiserver.Client.Patch(t.Context(), deployment, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":3}}`)), client.FieldOwner("somebody")); err != nil {
		t.Fatal(err)
	}
	expectRefused(t, home, map[string]mistake{
		"what somebody else has changed": {"upgrade --set manager.replicas=2", "conflict occurred while applying object testrun-system/testrun-controller-manager", true},
	})
	wrong := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "opaque", Namespace: home}}
	if err := apiserver.Client.Create(t.Context(), wrong); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	output, err := helm(t, command(home, "upgrade --force-conflicts --set server.s3.existingSecret=s3 --set imagePullSecrets[0].name=registry --set imagePullSecrets[1].name=opaque")...)
	for _, says := range []string{
		"WARNING: imagePullSecrets names the Secret registry, and namespace testrun-system has none of that name.",
		"WARNING: imagePullSecrets names the Secret opaque, and its type is Opaque, which no image is pulled with. Make one with: kubectl create secret docker-registry",
		"WARNING: imagePullSecrets are for the programs of this chart. The pods of tests pull the runner's image with those of their own templates",
		"WARNING: No registry has testrun.invalid/testrun.",
		"WARNING: server.s3.existingSecret is set, and there is no server. It takes server.enabled=true.",
	} {
		if err != nil || !strings.Contains(output, says) {
			t.Errorf("helm upgrade says %s (%v), want %q", output, err, says)
		}
	}
}

func afterAnUninstall(t *testing.T) {
	if output, err := helm(t, "uninstall", "testrun", "--namespace", home); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	crds := &apiextensionsv1.CustomResourceDefinitionList{}
	reader, err := client.New(apiserver.Config, client.Options{Scheme: extensions(t)})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.List(t.Context(), crds); err != nil || len(crds.Items) != len(files) || len(files) < 3 {
		t.Fatalf("%d CRDs are there after the uninstall (%v), want all %d", len(crds.Items), err, len(files))
	}
	expectRefused(t, home, map[string]mistake{
		"another name": {"install other", "was kept by another release, testrun in namespace testrun-system. Install under that name and in that namespace again", false},
	})
	if output, err := helm(t, command(home, "install")...); err != nil {
		t.Fatalf("installing again under the same name: %v: %s", err, output)
	}
	expectSmallRelease(t)
}

// expectSmallRelease checks that a release is well below what one Secret holds, 1 MiB.
func expectSmallRelease(t *testing.T) {
	t.Helper()
	secrets := &corev1.SecretList{}
	if err := apiserver.Client.List(context.Background(), secrets, client.InNamespace(home), client.MatchingLabels{"owner": "helm"}); err != nil {
		t.Fatal(err)
	}
	if len(secrets.Items) == 0 {
		t.Error("no release was found")
	}
	for i := range secrets.Items {
		if size := len(secrets.Items[i].Data["release"]); size > 500<<10 {
			t.Errorf("the release %s takes %d bytes of the 1 MiB that a Secret holds", secrets.Items[i].Name, size)
		}
	}
}
