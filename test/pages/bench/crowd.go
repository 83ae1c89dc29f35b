package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/kit"
)

// crowd has people look while runs finish.
type crowd struct {
	*bench
	// written is when the end of a run was sent to the API server, by the run's UID.
	written sync.Map
	joined  sync.WaitGroup

	lock          sync.Mutex
	heard, shown  []time.Duration
	bytes, events atomic.Int64
}

// crowd measures how the server is while many look and many runs finish.
func (b *bench) crowd(ctx context.Context, result *report) error {
	c := &crowd{bench: b}
	screen, err := b.openScreen(ctx)
	if err != nil {
		return err
	}
	defer screen.close()
	people := make([]*http.Client, b.Users)
	for i := range people {
		if people[i], err = b.logIn(ctx, i); err != nil {
			return err
		}
	}
	listening, leave := context.WithCancel(ctx)
	group, groupCtx := errgroup.WithContext(listening)
	c.joined.Add(b.Listeners)
	for i := range b.Listeners {
		group.Go(func() error { return c.listen(groupCtx, people[i%b.Users]) })
	}
	c.joined.Wait()
	if result.Crowd.MemoryQuiet, _, err = b.server.memory(); err != nil {
		leave()
		return errors.Join(err, group.Wait())
	}
	before, errBefore := b.server.cpu()
	began := time.Now()
	runs, errFinish := c.finishRuns(ctx)
	took := time.Since(began)
	after, errAfter := b.server.cpu()
	c.shown, err = screen.times(&c.written)
	leave()
	errListen := group.Wait()
	if errors.Is(errListen, context.Canceled) {
		errListen = nil
	}
	result.Crowd.Runs, result.Crowd.RunsSecond = runs, float64(runs)/took.Seconds()
	result.Crowd.Processors = (after - before).Seconds() / took.Seconds()
	result.Crowd.Heard, result.Crowd.Shown = quantilesOf(c.heard), quantilesOf(c.shown)
	result.Crowd.Events, result.Crowd.BytesOfEvent = c.events.Load(), float64(c.bytes.Load())/float64(max(c.events.Load(), 1))
	var errMemory error
	_, result.Crowd.MemoryPeak, errMemory = b.server.memory()
	return errors.Join(err, errBefore, errFinish, errAfter, errListen, errMemory)
}

// listen hears what changes as the script of a page does.
func (c *crowd) listen(ctx context.Context, people *http.Client) (err error) {
	joined := sync.OnceFunc(c.joined.Done)
	defer joined()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server.url+"/live?namespace="+namespace, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := people.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("listening is answered with %s", answer.Status)
	}
	joined()
	ended := map[string]bool{}
	reader := bufio.NewReaderSize(answer.Body, 1<<16)
	var event int64
	for {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			return ctx.Err()
		}
		event += int64(len(line))
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		c.bytes.Add(event)
		c.events.Add(1)
		event = 0
		var run struct{ UID, Phase string }
		if err := json.Unmarshal(data, &run); err != nil {
			return err
		}
		if at, ok := c.written.Load(run.UID); ok && run.Phase == string(v1alpha1.PhaseFinished) && !ended[run.UID] {
			ended[run.UID] = true
			c.lock.Lock()
			c.heard = append(c.heard, time.Since(at.(time.Time)))
			c.lock.Unlock()
		}
	}
}

// runFor is how long a run of the load takes.
const runFor = 2 * time.Second

// finishRuns creates runs, and ends each when it has taken its time.
func (c *crowd) finishRuns(ctx context.Context) (runs int, err error) {
	group, ctx := errgroup.WithContext(ctx)
	ticker := time.NewTicker(time.Second / time.Duration(c.Rate))
	defer ticker.Stop()
	end := time.After(c.During)
	for {
		select {
		case <-ticker.C:
			name := fmt.Sprintf("run-%06d", runs)
			runs++
			group.Go(func() error { return c.finishRun(ctx, name) })
		case <-end:
			err := group.Wait()
			c.untilQuiet(ctx)
			return runs, err
		case <-ctx.Done():
			return runs, group.Wait()
		}
	}
}

// untilQuiet waits until what is on its way has arrived: while any page hears of anything.
func (c *crowd) untilQuiet(ctx context.Context) {
	const quiet = time.Second
	for before := int64(-1); before != c.events.Load() && ctx.Err() == nil; {
		before = c.events.Load()
		kit.Pause(ctx, quiet)
	}
}

func (c *crowd) finishRun(ctx context.Context, name string) error {
	run := builders.TestRun(name).In(namespace).Running(builders.TestSpec("true")).Build()
	if err := apiserver.Client.Create(ctx, run); err != nil {
		return err
	}
	kit.Pause(ctx, runFor)
	now := metav1.Now()
	run.Status = builders.TestRun(name).Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed).Build().Status
	run.Status.StartTime, run.Status.FinishTime = &now, &now
	c.written.Store(string(run.UID), time.Now())
	return apiserver.Client.Status().Update(ctx, run)
}
