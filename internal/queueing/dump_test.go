package queueing

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/testrun-dev/testrun/internal/admission"
)

func TestASignalDumpsTheQueues(t *testing.T) {
	s := queues(1)
	s.Report(entry("a", admission.Waiting))
	s.Report(entry("b", admission.Waiting))
	var mu sync.Mutex
	var lines []string
	logger := funcr.New(func(prefix, args string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, prefix+" "+args)
	}, funcr.Options{})
	logged := func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(lines, "\n")
	}

	taken := make(chan os.Signal, 1) // until the dumper listens, the signal would end this process
	signal.Notify(taken, syscall.SIGUSR2)
	defer signal.Stop(taken)
	ctx, cancel := context.WithCancel(log.IntoContext(t.Context(), logger))
	ended := make(chan error)
	go func() { ended <- (&Dumper{Queues: s}).Start(ctx) }()
	want := `queues "level"=0 "msg"="A run that waits" "queue"="default" "position"=1 "namespace"="ns" "name"="b" "reason"="Queued"`
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(logged(), want); {
		if time.Now().After(deadline) {
			t.Fatalf("the log is\n%s", logged())
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		<-time.After(20 * time.Millisecond)
	}
	if !strings.Contains(logged(), `"msg"="A queue" "queue"="default" "suspended"=false "running"=1 "pending"=1`) {
		t.Errorf("the log is\n%s", logged())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
