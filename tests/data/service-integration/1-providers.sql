INSERT INTO call_service_providers (name, provider_type, api_key, api_secret, base_url, max_concurrent_calls, priority)
VALUES 
  ('Vapi Production', 'vapi', 'your_vapi_key', 'your_vapi_secret', 'https://api.vapi.com', 10, 1),
  ('SynthFlow Production', 'synthflow', 'your_synthflow_key', 'your_synthflow_secret', 'https://api.synthflow.com', 10, 2);
