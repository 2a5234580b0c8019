// Package api is the control plane over HTTP: the OpenAPI document, the server
// generated from it, and what HTTP adds to the appliance behind Backend: keys
// and scopes, validation, revisions as ETags, problems.
package api

//go:generate go tool oapi-codegen --config oapi.yaml openapi.yaml
//go:generate go tool oapi-codegen --config client/oapi.yaml openapi.yaml
