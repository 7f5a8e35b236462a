-- Get next call
WITH next_call AS (
  SELECT * FROM get_next_call_in_queue()
),
best_provider AS (
  SELECT get_best_available_provider() AS provider_id
)
SELECT assign_call_to_provider(next_call.queue_id, best_provider.provider_id)
FROM next_call, best_provider
WHERE next_call.queue_id IS NOT NULL AND best_provider.provider_id IS NOT NULL;
