INSERT INTO provider_availability (provider_id, current_calls, available_slots, status)
SELECT id, 0, max_concurrent_calls, 'online'
FROM call_service_providers
WHERE is_active = TRUE;
