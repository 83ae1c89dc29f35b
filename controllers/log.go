package controllers

import (
	"context"

	"github.com/go-logr/logr"
)

// errorsAsInfo is a logger whose errors are logged at info while they are ordinary.
func errorsAsInfo(logger logr.Logger, ordinary func() bool) logr.Logger {
	return logger.WithSink(infoSink{logger.GetSink(), ordinary})
}

// always is for the metrics endpoint: a wrong token there is no error of ours.
func always() bool { return true }

// onceDone is for the manager's own logger: work that is broken off because the process was told to end is no error.
func onceDone(ctx context.Context) func() bool {
	return func() bool { return ctx.Err() != nil }
}

type infoSink struct {
	logr.LogSink
	ordinary func() bool
}

// Error logs the error, at info if it is ordinary.
func (s infoSink) Error(err error, message string, keysAndValues ...any) {
	if s.ordinary() {
		s.Info(0, message, append([]any{"cause", err}, keysAndValues...)...)
		return
	}
	s.LogSink.Error(err, message, keysAndValues...)
}

// WithValues is a sink with more values, of the same kind.
func (s infoSink) WithValues(keysAndValues ...any) logr.LogSink {
	return infoSink{s.LogSink.WithValues(keysAndValues...), s.ordinary}
}

// WithName is a sink with a name, of the same kind.
func (s infoSink) WithName(name string) logr.LogSink {
	return infoSink{s.LogSink.WithName(name), s.ordinary}
}
