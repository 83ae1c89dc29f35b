//go:build tools

// Package flux pins a controller of Flux: importing it makes go.sum complete.
package flux

import _ "github.com/fluxcd/kustomize-controller"
