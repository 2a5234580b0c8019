// Package api is the control plane over HTTP: the OpenAPI document, the server
// generated from it, and what HTTP adds to the appliance behind Backend: keys
// and scopes, validation, revisions as ETags, problems.
package api

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen --config oapi.yaml openapi.yaml
