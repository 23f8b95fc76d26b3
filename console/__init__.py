"""What people see across storeys: admin, readiness, event detail."""
