package jobtable

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// The rights are those that config/jobtable gives, and no others: the whole program works with them.
func TestTheProgramWorksWithItsOwnRightsAndHearsOfNewRows(t *testing.T) {
	w := newWorld(t, onPostgres, seedTable[onPostgres])
	table := seedJobTable()
	long := v1alpha1.PositiveDuration{Duration: time.Hour}
	table.Spec.PollInterval = &long // only what it hears can make it look
	file, err := json.Marshal(&v1alpha1.JobTable{TypeMeta: metav1.TypeMeta{Kind: "JobTable"}, Spec: table.Spec})
	must(t, err)
	sql, err := Triggers(bytes.NewReader(file))
	must(t, err)
	w.exec(sql)
	w.follow(table)
	stop := w.startProgram()
	w.WaitFor("the program listens", func() bool { return w.isListening() != "0" })
	w.WaitFor("the table is ready", func() bool { return strings.Contains(fmt.Sprint(w.status().Conditions), "Working") })
	w.exec(insertRow, 1)
	w.WaitFor("the row has a run", func() bool { return len(w.runs()) == 1 })
	w.start("1")
	w.WaitFor("the row is in progress", func() bool { return w.one("SELECT status FROM job") == "in_progress" })
	// A connection that is cut is made again, and what came meanwhile is found.
	w.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop' AND query LIKE 'LISTEN%'")
	w.exec(insertRow, 2)
	w.WaitFor("the second row has a run", func() bool { return len(w.runs()) == 2 })
	w.exec("UPDATE job SET status = 'cancelled' WHERE id = 2")
	w.WaitFor("the run is cancelled", func() bool { return w.runOf("2").Spec.Cancel != nil })
	w.finish("2", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	must(t, w.Client.Delete(w.Ctx, w.runOf("1")))
	w.WaitFor("both rows have ended", func() bool { return w.one("SELECT count(*) FROM job WHERE status = 'finished'") == "2" })
	w.expectEnd("1", v1alpha1.VerdictError, v1alpha1.ReasonRunDeleted)
	w.expectEnd("2", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	stop()
	w.WaitFor("no connection is left", func() bool { return w.isListening() == "0" })
}

// A connection that listens may be dead without anybody noticing: the table is looked at all the same.
func TestAProgramThatHearsNothingPolls(t *testing.T) {
	onSeedTable(t, func(w *world) { // which has no trigger
		table := seedJobTable()
		table.Spec.PollInterval = &v1alpha1.PositiveDuration{Duration: time.Second}
		w.follow(table)
		defer w.startProgram()()
		w.WaitFor("the table is ready", func() bool { return strings.Contains(fmt.Sprint(w.status().Conditions), "Working") })
		w.exec(insertRow, 1)
		w.WaitFor("the row has a run", func() bool { return len(w.runs()) == 1 })
		w.finish("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.WaitFor("the row has ended", func() bool { return w.one("SELECT status FROM job") == "finished" })
	})
}

func (w *world) isListening() string {
	w.T.Helper()
	return w.one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop' AND datname = current_database() AND query LIKE 'LISTEN%'")
}

// startProgram runs the whole program, as the account that config/jobtable makes, and returns what stops it.
func (w *world) startProgram() (stop func()) {
	w.T.Helper()
	for _, name := range []string{"service_account", "role", "role_binding"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "config", "jobtable", name+".yaml"))
		must(w.T, err)
		obj := &unstructured.Unstructured{}
		must(w.T, yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), "namespace: default", "namespace: "+w.Namespace)), obj))
		w.Create(obj)
	}
	config := rest.CopyConfig(apiserver.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + w.Namespace + ":testrun-jobtable"}
	expectNoRights(w, config)
	mgr, err := newManager(config, Options{Namespace: w.Namespace, Folder: w.folder, MetricsAddress: "0", ProbeAddress: "0", LeaderElect: true}, prometheus.NewRegistry())
	must(w.T, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	return func() {
		w.T.Helper()
		cancel()
		must(w.T, <-done)
	}
}

// expectNoRights checks that the account may not do what it need not.
func expectNoRights(w *world, config *rest.Config) {
	w.T.Helper()
	as, err := client.New(config, client.Options{Scheme: apiserver.Scheme, Mapper: apiserver.Client.RESTMapper()})
	must(w.T, err)
	for _, kind := range []string{"SecretList", "PodList", "ConfigMapList"} {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("v1")
		list.SetKind(kind)
		if err := as.List(w.Ctx, list, client.InNamespace(w.Namespace)); err == nil {
			w.T.Errorf("the program may list %s", kind)
		}
	}
	if err := as.List(w.Ctx, &v1alpha1.TestRunList{}, client.InNamespace("default")); err == nil {
		w.T.Error("the program may read another namespace")
	}
	if err := as.Delete(w.Ctx, &v1alpha1.TestRun{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "any"}}); client.IgnoreNotFound(err) == nil {
		w.T.Error("the program may delete runs")
	}
}
