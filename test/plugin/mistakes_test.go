package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// What a newcomer gets wrong, and the sentence that mends it.
func TestEachMistakeIsAnsweredByASentenceThatMendsIt(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada", "testrun-starter", "testrun-queue-viewer*")
	w.finish("finished", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
	everywhere := w.person("grace", "testrun-starter*")
	nobody := w.person("eve")
	queue := w.queue(v1alpha1.TestQueueSpec{})
	elsewhere := &person{world: w, archive: "none"}
	with := func(user clientcmdapi.AuthInfo, change func(*clientcmdapi.Config)) *person {
		also := *elsewhere
		also.kubeconfig = w.kubeconfigOf(&user, change)
		return &also
	}
	same := func(*clientcmdapi.Config) {}
	token := ada.tokenOfKubeconfig()
	admin := w.person("root", "cluster-admin*")
	for mistake, test := range map[string]struct {
		who  *person
		args string
		code int
		says []string
	}{
		"no kubeconfig": {
			&person{world: w, kubeconfig: filepath.Join(t.TempDir(), "none")}, "list", 11, []string{"no cluster is known", "Set KUBECONFIG, or name the file with --kubeconfig"},
		},
		"no cluster": {
			with(clientcmdapi.AuthInfo{Token: "x"}, func(c *clientcmdapi.Config) { c.Clusters["test"].Server = "https://127.0.0.1:1" }), "list", 11,
			[]string{"the cluster at https://127.0.0.1:1 cannot be reached", "connection refused", `is context "test" the right one?`},
		},
		"a name that nobody knows": {
			with(clientcmdapi.AuthInfo{Token: "x"}, func(c *clientcmdapi.Config) { c.Clusters["test"].Server = "https://cluster.invalid" }), "list", 11,
			[]string{"cluster.invalid has no address", "kubectl config get-contexts"},
		},
		"another cluster's certificate": {
			with(clientcmdapi.AuthInfo{Token: "x"}, func(c *clientcmdapi.Config) { c.Clusters["test"].CertificateAuthorityData = nil }), "list", 11,
			[]string{"a certificate that your kubeconfig does not trust", "Is it the cluster that you mean"},
		},
		"wrong context":              {ada, "list --context=tset", 11, []string{`the kubeconfig has no context "tset". Did you mean test?`, "It has: test"}},
		"expired credentials":        {with(clientcmdapi.AuthInfo{Token: "expired"}, same), "list", 11, []string{"does not know you", "Log in to it again"}},
		"no rights":                  {nobody, "list", 11, []string{"you may not list testruns in namespace " + w.Namespace, "kubectl create rolebinding NAME --clusterrole=testrun-viewer"}},
		"no right to run":            {nobody, "run checkout", 11, []string{"you may not create testruns", "--clusterrole=testrun-starter"}},
		"no right to pause":          {ada, "queue pause " + queue, 11, []string{"you may not patch testqueues in the whole cluster", "--clusterrole=testrun-queue-editor"}},
		"all, but few rights":        {ada, "list -A", 11, []string{"you may not list testruns in all namespaces; name one with -n", "kubectl create clusterrolebinding NAME --clusterrole=testrun-viewer"}},
		"wrong namespace":            {everywhere, "run checkout -n default", 11, []string{`there is no Test "checkout" in namespace default`, "add -n "}},
		"run elsewhere":              {everywhere, "why finished -n default", 11, []string{`there is no run "finished" in namespace default`, "There is one in namespace " + w.Namespace + ": add -n " + w.Namespace}},
		"unknown test":               {ada, "run chekcout", 11, []string{`there is no Test "chekcout" in namespace ` + w.Namespace + ". Did you mean checkout?"}},
		"misspelt param":             {ada, "run checkout -p BROSWER=firefox", 10, []string{"Test checkout has no param BROSWER. Did you mean BROWSER? It has: BROWSER, TAGS"}},
		"misspelt value":             {ada, "run checkout -p BROWSER=firefix", 10, []string{`param BROWSER of Test checkout cannot be "firefix". Did you mean firefox? It is one of: chromium, firefox, webkit`}},
		"missing param":              {ada, "run deploy-check", 10, []string{"Test deploy-check needs a value for what has no default: add -p TARGET=VALUE"}},
		"param without value":        {ada, "run checkout -p BROWSER", 10, []string{"write NAME=VALUE, such as -p BROWSER=firefox"}},
		"name that is taken":         {ada, "run checkout --name=finished", 11, []string{`there is a run "finished"`, "choose another --name"}},
		"name that cannot be":        {ada, "run checkout --name=Smoke_1", 11, []string{"the cluster refuses it: metadata.name", "must start and end with an alphanumeric character"}},
		"unknown queue":              {ada, "run checkout --queue=" + queue + "x", 10, []string{"there is no TestQueue", "Did you mean " + queue}},
		"unknown run":                {ada, "why finishd", 11, []string{`there is no run "finishd" in namespace ` + w.Namespace + ". Did you mean finished?"}},
		"run gone, no archive":       {ada.asking("", false), "results gone", 11, []string{`there is no run "gone"`, "If it was deleted, the archive may have it, and could not be asked", "you may not list services in namespace testrun-system"}},
		"server not installed":       {admin.asking("", false), "list --archived", 11, []string{"the server of the archive is not installed in namespace testrun-system", "--testrun-namespace"}},
		"page not installed":         {admin.asking("", false), "ui", 11, []string{"there is no page", "docs/archive.md says how to install the server"}},
		"no token":                   {w.certified().asking(site.Server.URL, false), "list --archived", 11, []string{"your kubeconfig has no bearer token, only a client certificate", "--token=$(kubectl create token ACCOUNT)"}},
		"acting as another":          {w.certified().asking(site.Server.URL, false), "list --archived --as=ada --token=x", 11, []string{"with --as your own token would be sent", "leave out --as, or add --archive=none"}},
		"unknown certificate":        {ada.asking(site.Server.URL, false), "list --archived", 11, []string{"the archive cannot be asked: ", "name the file of its CA with --archive-ca"}},
		"archive over http":          {ada.asking("http://example.com", false), "list --archived", 11, []string{"write the address of the server, such as https://testrun.example.com"}},
		"archive's bad token":        {with(clientcmdapi.AuthInfo{Token: token + "x"}, same).asking(site.Server.URL, false), "list --archived --archive-insecure", 11, []string{"The API server does not accept this token", "`kubectl create token NAME --namespace=NAMESPACE` makes one"}},
		"misspelt state":             {ada, "list --state=Fialed", 10, []string{"--state takes Pending, InProgress, Passed, Failed", "Did you mean Failed?"}},
		"misspelt command":           {ada, "lsit", 10, []string{`there is no command "lsit". Did you mean list?`}},
		"misspelt subcommand":        {ada, "queue puase", 10, []string{`there is no command "puase". Did you mean pause?`}},
		"misspelt flag":              {ada, "list --sate=Failed", 10, []string{"unknown flag: --sate", "--help shows the flags"}},
		"misspelt format":            {ada, "results finished -o junti", 10, []string{`-o takes wide, junit, tap, json, yaml, and not "junti". Did you mean junit?`}},
		"no name":                    {ada, "wait", 10, []string{"takes the names of runs, or -l with labels"}},
		"no such attempt":            {ada, "logs finished --attempt=7", 11, []string{"no attempt of it ever began"}},
		"cancel what is over":        {ada, "cancel finished", 11, []string{"run finished has finished (Failed): there is nothing to cancel"}},
		"both ways to wait":          {ada, "run checkout --wait --follow", 10, []string{"--follow waits too: leave out --wait", "--help shows the flags"}},
		"an object that follows":     {ada, "run checkout --follow -o json", 10, []string{"--follow prints the output of the test: leave out -o"}},
		"a time and no waiting":      {ada, "run checkout --timeout=5m", 10, []string{"--timeout says how long to wait: add --wait or --follow"}},
		"a time that is over":        {ada, "wait finished --timeout=-5m", 10, []string{"--timeout is -5m0s: write how long to wait at most, such as 30m"}},
		"waiting for nothing":        {ada, "run checkout --dry-run --wait", 10, []string{"--dry-run creates nothing that could be waited for"}},
		"another dry run":            {ada, "run checkout --dry-run=client", 10, []string{`--dry-run is "client": write --dry-run=server`, "or leave it out"}},
		"another kind":               {ada, "wait pod/finished", 10, []string{`"pod/finished" names no TestRun: write NAME, or testrun/NAME`}},
		"an empty name":              {ada, "wait testrun/", 10, []string{`"testrun/" names no TestRun: write NAME, or testrun/NAME`}},
		"selector unreadable":        {ada, "list -l a==b==c", 10, []string{"-l a==b==c cannot be read", "Write KEY=VALUE"}},
		"fields unreadable":          {ada, "list --field-selector status.phase", 10, []string{"--field-selector status.phase cannot be read", "Write FIELD=VALUE"}},
		"unknown field":              {ada, "list --field-selector=status.state=Failed", 10, []string{"field label not supported: status.state", "TestRuns can be selected by metadata.name, metadata.namespace, status.phase"}},
		"a name in all":              {ada, "list -A finished", 10, []string{"a name is that of a run in one namespace: leave out -A"}},
		"a limit of the cluster":     {ada, "list --limit=5", 10, []string{"--limit is for --archived: the cluster's own runs are all listed"}},
		"no limit":                   {ada, "list --archived --limit=0", 10, []string{"--limit is 0: it has to be at least 1"}},
		"two labels, archived":       {ada.withArchive(), "list --archived -l a=b,c=d", 10, []string{"the archive selects by one label: write -l KEY=VALUE, and not -l a=b,c=d"}},
		"fields, archived":           {ada.withArchive(), "list --archived --field-selector=status.phase=Pending", 10, []string{"the archive does not know --field-selector: select with --state, --test, --queue or -l"}},
		"a name, archived":           {ada.withArchive(), "list --archived finished", 10, []string{"--archived lists all runs: leave out the names", "kubectl testrun why NAME finds a run that is gone"}},
		"an object that changes":     {ada, "list -w -o json", 10, []string{"-w shows a screen, or a line for each change: leave out -o"}},
		"template unreadable":        {ada, "list -o jsonpath={", 10, []string{"-o jsonpath={ cannot be read", "unclosed action"}},
		"a Test and a run":           {ada, "logs --failed finished --test=checkout", 10, []string{"--test chooses a run: leave out its name"}},
		"a Test for logs":            {ada, "logs finished --test=checkout", 10, []string{"--test chooses a run: leave out its name"}},
		"no such attempt of results": {ada, "results finished --attempt=-1", 10, []string{"--attempt is -1: attempts are counted from 1"}},
		"a queue of another name":    {ada, "queue top " + queue + "x", 11, []string{"there is no TestQueue", "Did you mean " + queue}},
	} {
		t.Run(mistake, func(t *testing.T) {
			got := test.who.types(strings.Fields(test.args)...)
			got.expect(t, test.code)
			if !strings.HasPrefix(got.err[strings.LastIndex(strings.TrimSpace(got.err), "\n")+1:], "error: ") {
				t.Errorf("its last line is no error:\n%s", got.err)
			}
			for _, word := range test.says {
				if !strings.Contains(got.err, word) {
					t.Errorf("%s is answered with\n%s\nwant %q in it", test.args, got.err, word)
				}
			}
		})
	}
}

// A quota forbids, and so does the end of a namespace. Neither is a right that somebody could give.
func TestWhatIsRefusedForAnotherReasonThanARightIsSaidInTheClustersWords(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	w.Forbid("count/testruns.testrun.dev")
	got := ada.types("run", "checkout").expect(t, 11).says(t, "the cluster refuses it: ", "exceeded quota: none")
	if strings.Contains(got.err, "rolebinding") {
		t.Errorf("it says that a right is missing:\n%s", got.err)
	}
}

// certified is somebody with a client certificate, as clusters give it to their administrators.
func (w *world) certified() *person {
	w.T.Helper()
	path := filepath.Join(w.T.TempDir(), "kubeconfig")
	w.Must(os.WriteFile(path, apiserver.KubeConfig, 0o600))
	return &person{world: w, kubeconfig: path}
}

// tokenOfKubeconfig is the person's token.
func (p *person) tokenOfKubeconfig() string {
	p.T.Helper()
	config, err := clientcmd.LoadFromFile(p.kubeconfig)
	p.Must(err)
	return config.AuthInfos["test"].Token
}

func TestWithoutAnOperatorWaitingSaysSo(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	const words = "no operator has looked at it. Is one installed and running? kubectl -n testrun-system get pods"
	ada.types("run", "checkout", "--name=bare", "--wait", "--timeout=15s").expect(t, 12).says(t, "bare waits, and "+words, "1 run did not finish after 15s: bare")
	ada.types("why", "bare").expect(t, 0, "What to do: "+words)
}

// Another cluster, in which the CRDs are first missing, and then those of an older version.
func TestACRDThatIsMissingOrOldIsNamed(t *testing.T) {
	w := newWorld(t)
	cluster := &envtest.Environment{BinaryAssetsDirectory: os.Getenv("KUBEBUILDER_ASSETS")}
	if cluster.BinaryAssetsDirectory == "" {
		cluster.BinaryAssetsDirectory = filepath.Join("..", "..", "bin", "k8s")
	}
	config, err := cluster.Start()
	w.Must(err)
	t.Cleanup(func() { _ = cluster.Stop() })
	admin := &person{world: w, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), archive: "none"}
	w.Must(os.WriteFile(admin.kubeconfig, cluster.KubeConfig, 0o600))
	for _, args := range []string{"list", "run checkout", "why first", "queue top"} {
		admin.types(strings.Fields(args)...).expect(t, 11).says(t, "TestRun is not installed there, or its CRDs are older than this plugin", "docs/operating.md")
	}

	_, err = envtest.InstallCRDs(config, envtest.CRDInstallOptions{CRDs: older(t)})
	w.Must(err)
	admin.types("list", "--field-selector=status.verdict=Failed").expect(t, 10).says(t, "field label not supported: status.verdict", "CRDs that are older than this plugin know fewer")
	there, err := client.New(config, client.Options{Scheme: apiserver.Scheme})
	w.Must(err)
	w.Must(there.Create(w.Ctx, builders.TestRun("first").Of("checkout").Build()))
	admin.types("rerun", "first").expect(t, 11).says(t, "the CRDs in the cluster are older than this plugin ("+version+")", `unknown field "spec.rerunOf"`,
		"Have whoever installed TestRun update it")
	admin.types("list").expect(t, 0, "first")
	admin.types("queue", "top").expect(t, 11).says(t, "has no testqueues")
}

// older are the CRDs as they may have been before runs could be selected and repeated, and before there were queues.
func older(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	var crds []*apiextensionsv1.CustomResourceDefinition
	for _, name := range []string{"tests", "testruns"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "bases", "testrun.dev_"+name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, crd); err != nil {
			t.Fatal(err)
		}
		version := &crd.Spec.Versions[0]
		version.SelectableFields = nil
		spec := version.Schema.OpenAPIV3Schema.Properties["spec"]
		spec.XValidations = nil
		delete(spec.Properties, "rerunOf")
		version.Schema.OpenAPIV3Schema.Properties["spec"] = spec
		version.Schema.OpenAPIV3Schema.XValidations = nil
		version.AdditionalPrinterColumns = nil
		crds = append(crds, crd)
	}
	return crds
}
