package main

import (
	"log/slog"

	"github.com/go-logr/logr"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// logDefaults are what the --zap-… flags change: lines of JSON from info on, and no stack traces. An error says where it comes from.
func logDefaults() zap.Options {
	return zap.Options{StacktraceLevel: zapcore.DPanicLevel}
}

// logThrough makes all that this process logs go one way: controller-runtime, client-go (klog), and Go's own log, into which
// net/http writes.
func logThrough(logger logr.Logger) {
	ctrl.SetLogger(logger)
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
	slog.SetDefault(slog.New(logr.ToSlogHandler(logger)))
}
