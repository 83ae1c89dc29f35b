// Package recorded keeps what real runs looked like: one for each phase, verdict and reason, as the API server had it. Packages whose
// tests have runs executed record them with the flag -record; others read what is committed in runs/.
package recorded

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/kit"
)

// folder is a name that is relative to the package whose tests run: they all are in a folder beside this one.
var folder = flag.String("record", "", "keep one run of each state that is not there yet in this folder, such as ../recorded/runs")

//go:embed runs
var committed embed.FS

// Run is one recorded run.
type Run struct {
	// Name says its phase, verdict and reason.
	Name string
	// Object is the whole run.
	Object map[string]any
}

// Runs returns the runs that are committed, by their names.
func Runs() ([]Run, error) {
	files, err := committed.ReadDir("runs")
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, file := range files {
		text, err := committed.ReadFile(path.Join("runs", file.Name()))
		if err != nil {
			return nil, err
		}
		run := Run{Name: strings.TrimSuffix(file.Name(), ".yaml")}
		if err := yaml.Unmarshal(text, &run.Object); err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// Tests are what runs beside the recorder: *testing.M, for one.
type Tests interface{ Run() int }

// While records, if the flag asks for it, all that happens to runs while the tests run. connect is asked for a client when they begin.
func While(tests Tests, connect func() client.WithWatch) Tests { return recorder{tests, connect} }

type recorder struct {
	tests   Tests
	connect func() client.WithWatch
}

func (r recorder) Run() int {
	flag.Parse()
	if *folder == "" {
		return r.tests.Run()
	}
	ctx, stop := context.WithCancel(context.Background())
	var recording sync.WaitGroup
	recording.Go(func() {
		for ctx.Err() == nil {
			if err := record(ctx, r.connect()); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "recording:", err)
				kit.Pause(ctx, time.Second) // the API server is being restarted
			}
		}
	})
	code := r.tests.Run()
	stop()
	recording.Wait()
	return code
}

// record records until the watch ends, as it does when an API server is restarted.
func record(ctx context.Context, from client.WithWatch) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TestRunList"))
	watcher, err := from.Watch(ctx, list)
	if err != nil {
		return err
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-watcher.ResultChan():
			if !ok {
				return errors.New("the watch has ended, and begins again")
			}
			if run, ok := event.Object.(*unstructured.Unstructured); ok && run.GetKind() == "TestRun" {
				if err := keep(*folder, run); err != nil {
					return err
				}
			}
		}
	}
}

// keep writes the run, unless there is one of its state, or a test wrote that state and not an operator.
func keep(folder string, run *unstructured.Unstructured) error {
	file := filepath.Join(folder, NameOf(run.Object)+".yaml")
	reason, _ := Succeeded(run.Object)
	_, observed, _ := unstructured.NestedFieldNoCopy(run.Object, "status", "observedGeneration")
	if !observed && reason != v1alpha1.ReasonWaiting {
		return nil
	}
	if _, err := os.Stat(file); err == nil || run.GetDeletionTimestamp() != nil {
		return err
	}
	run.SetManagedFields(nil)
	text, err := yaml.Marshal(run.Object)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// NameOf says the phase, verdict and reason of a run.
func NameOf(run map[string]any) string {
	phase, _, _ := unstructured.NestedString(run, "status", "phase")
	verdict, _, _ := unstructured.NestedString(run, "status", "verdict")
	name := phase
	if verdict != "" {
		name += "-" + verdict
	}
	reason, _ := Succeeded(run)
	return name + "-" + reason
}

// Succeeded returns reason and message of the condition of that type.
func Succeeded(run map[string]any) (reason, message string) {
	conditions, _, _ := unstructured.NestedSlice(run, "status", "conditions")
	for _, each := range conditions {
		condition, _ := each.(map[string]any)
		if condition["type"] == v1alpha1.ConditionSucceeded {
			reason, _ = condition["reason"].(string)
			message, _ = condition["message"].(string)
		}
	}
	return reason, message
}
