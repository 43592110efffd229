// absence.c: the layer's answers where a driver has no device: submitting succeeds, waiting is over, memory is the system's.
#include "layer.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static VKAPI_ATTR void VKAPI_CALL do_nothing(void) {}

static VKAPI_ATTR VkResult VKAPI_CALL succeed(void) {
  return VK_SUCCESS;
}

// A fence is never looked into: any number that is not zero will do.
static VKAPI_ATTR VkResult VKAPI_CALL create_fence(VkDevice device, const VkFenceCreateInfo *info,
                                                   const VkAllocationCallbacks *allocator, VkFence *out) {
  (void)device, (void)info, (void)allocator;
  *out = (VkFence)(uintptr_t)1;
  return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL semaphore_value(VkDevice device, VkSemaphore semaphore, uint64_t *value) {
  (void)device, (void)semaphore;
  *value = UINT64_MAX / 2; // past whatever is waited for
  return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL query_results(VkDevice device, VkQueryPool pool, uint32_t first, uint32_t count,
                                                    size_t bytes, void *data, VkDeviceSize stride,
                                                    VkQueryResultFlags flags) {
  (void)device, (void)pool, (void)first, (void)count, (void)stride, (void)flags;
  memset(data, 0, bytes);
  return VK_SUCCESS;
}

// NVK fails to write its cache out, and Dawn then gives the device up.
static VKAPI_ATTR VkResult VKAPI_CALL pipeline_cache_data(VkDevice device, VkPipelineCache cache, size_t *bytes,
                                                          void *data) {
  (void)device, (void)cache, (void)data;
  *bytes = 0;
  return VK_SUCCESS;
}

// Memory: one type that serves for all, of zeros that the system gives where they are touched.
typedef struct {
  void *start;
  size_t bytes;
} Memory;

enum { HEAP_BITS = 38 };

static void set_memory_types(VkPhysicalDeviceMemoryProperties *to) {
  *to = (VkPhysicalDeviceMemoryProperties){.memoryTypeCount = 1, .memoryHeapCount = 1};
  to->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                     VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  to->memoryHeaps[0] = (VkMemoryHeap){(VkDeviceSize)1 << HEAP_BITS, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
}

static VKAPI_ATTR void VKAPI_CALL memory_properties(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *out) {
  (void)physical;
  set_memory_types(out);
}

static VKAPI_ATTR void VKAPI_CALL memory_properties2(VkPhysicalDevice physical,
                                                     VkPhysicalDeviceMemoryProperties2 *out) {
  OF_INSTANCE(vkGetPhysicalDeviceMemoryProperties2)(physical, out);
  set_memory_types(&out->memoryProperties);
}

static VKAPI_ATTR void VKAPI_CALL buffer_memory(VkDevice device, VkBuffer buffer, VkMemoryRequirements *out) {
  OF_DEVICE(vkGetBufferMemoryRequirements)(device, buffer, out);
  out->memoryTypeBits = 1;
}

static VKAPI_ATTR void VKAPI_CALL buffer_memory2(VkDevice device, const VkBufferMemoryRequirementsInfo2 *info,
                                                 VkMemoryRequirements2 *out) {
  OF_DEVICE(vkGetBufferMemoryRequirements2)(device, info, out);
  out->memoryRequirements.memoryTypeBits = 1;
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                      const VkAllocationCallbacks *allocator, VkDeviceMemory *out) {
  (void)device, (void)allocator;
  Memory *memory = malloc(sizeof *memory);
  if (!memory) return VK_ERROR_OUT_OF_HOST_MEMORY;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  memory->bytes = info->allocationSize;
  memory->start = mmap(NULL, memory->bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory->start == MAP_FAILED) {
    free(memory);
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  }
  *out = (VkDeviceMemory)memory;
  return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory handle,
                                              const VkAllocationCallbacks *allocator) {
  (void)device, (void)allocator;
  Memory *memory = (Memory *)handle;
  if (!memory) return;
  munmap(memory->start, memory->bytes);
  free(memory);
}

static VKAPI_ATTR VkResult VKAPI_CALL map_memory(VkDevice device, VkDeviceMemory handle, VkDeviceSize offset,
                                                 VkDeviceSize bytes, VkMemoryMapFlags flags, void **out) {
  (void)device, (void)bytes, (void)flags;
  *out = (char *)((Memory *)handle)->start + offset;
  return VK_SUCCESS;
}

const Answer ABSENCE_ANSWERS[] = {
    // recording and submitting
    ANSWER("vkBeginCommandBuffer", succeed),
    ANSWER("vkEndCommandBuffer", succeed),
    ANSWER("vkResetCommandBuffer", succeed),
    ANSWER("vkResetCommandPool", succeed),
    ANSWER("vkFreeCommandBuffers", do_nothing),
    ANSWER("vkDestroyCommandPool", do_nothing),
    ANSWER("vkUpdateDescriptorSets", do_nothing),
    ANSWER("vkQueueSubmit", succeed),
    ANSWER("vkQueueSubmit2", succeed),
    ANSWER("vkQueueSubmit2KHR", succeed),
    // waiting
    ANSWER("vkCreateFence", create_fence),
    ANSWER("vkDestroyFence", do_nothing),
    ANSWER("vkDestroySemaphore", do_nothing),
    ANSWER("vkGetFenceStatus", succeed),
    ANSWER("vkWaitForFences", succeed),
    ANSWER("vkResetFences", succeed),
    ANSWER("vkQueueWaitIdle", succeed),
    ANSWER("vkDeviceWaitIdle", succeed),
    ANSWER("vkGetSemaphoreCounterValue", semaphore_value),
    ANSWER("vkGetSemaphoreCounterValueKHR", semaphore_value),
    ANSWER("vkWaitSemaphores", succeed),
    ANSWER("vkWaitSemaphoresKHR", succeed),
    ANSWER("vkGetQueryPoolResults", query_results),
    ANSWER("vkGetPipelineCacheData", pipeline_cache_data),
    // memory
    ANSWER("vkGetPhysicalDeviceMemoryProperties", memory_properties),
    ANSWER("vkGetPhysicalDeviceMemoryProperties2", memory_properties2),
    ANSWER("vkGetPhysicalDeviceMemoryProperties2KHR", memory_properties2),
    ANSWER("vkGetBufferMemoryRequirements", buffer_memory),
    ANSWER("vkGetBufferMemoryRequirements2", buffer_memory2),
    ANSWER("vkGetBufferMemoryRequirements2KHR", buffer_memory2),
    ANSWER("vkBindBufferMemory", succeed),
    ANSWER("vkBindBufferMemory2", succeed),
    ANSWER("vkBindBufferMemory2KHR", succeed),
    ANSWER("vkAllocateMemory", allocate_memory),
    ANSWER("vkFreeMemory", free_memory),
    ANSWER("vkMapMemory", map_memory),
    ANSWER("vkUnmapMemory", do_nothing),
    ANSWER("vkFlushMappedMemoryRanges", succeed),
    ANSWER("vkInvalidateMappedMemoryRanges", succeed),
    {NULL, NULL},
};
